"""The main job: ``python train.py`` is ``python -m mixed_data train``, with the same flags."""

import sys

from mixed_data.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
