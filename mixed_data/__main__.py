"""``python -m mixed_data`` is the command line."""

import sys

from mixed_data.cli import main

sys.exit(main())
