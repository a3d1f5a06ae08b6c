"""The folder of a run: written by train and compare, and gone on with after a stop."""
