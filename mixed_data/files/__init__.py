"""Files that appear whole or not at all, and JSON that is checked before anything uses it."""
