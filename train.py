# PYTHON_ARGCOMPLETE_OK: the shell may ask this file what may follow; see docs/command_line.md.
"""The main job: ``python train.py`` is ``python -m mixed_data train``, with the same flags."""

import sys

from mixed_data.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
