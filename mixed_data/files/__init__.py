"""The ground floor: files that appear whole or not at all, locks, digests, JSON that is checked, lists cut short."""
