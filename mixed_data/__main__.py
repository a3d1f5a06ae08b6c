# PYTHON_ARGCOMPLETE_OK: the shell may ask this file what may follow; see docs/command_line.md.
"""``python -m mixed_data`` is the command line."""

import sys

from mixed_data.cli import main

sys.exit(main())
