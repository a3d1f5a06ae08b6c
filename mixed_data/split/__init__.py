"""Which rows stay together, such as those that share a photo, and which are for training and which are held out."""

from mixed_data.split.hold_out_and_folds import hold_out, k_fold
from mixed_data.split.rows_kept_together import Link, find_groups, find_links, join_links

__all__ = ["Link", "find_groups", "find_links", "hold_out", "join_links", "k_fold"]
