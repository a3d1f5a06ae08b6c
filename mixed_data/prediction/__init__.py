"""From the arrays of rows to one line per row, whatever a row lacks."""
