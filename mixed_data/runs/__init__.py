"""A run of `train` or `compare`: what it does, and the folder that it leaves."""
