"""The ground floor: files that appear whole or not at all, locks, digests, JSON that is checked, lists cut short."""

from mixed_data.files.whole_files import write_csv

__all__ = ["write_csv"]
