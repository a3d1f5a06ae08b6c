"""Honest evaluation: baselines and networks on the same held-out rows."""
