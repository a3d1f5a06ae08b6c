"""The same command, typed elsewhere: another folder, time zone, locale and seed of Python's hashes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from reliability import Case, documented

ROOT = Path(__file__).resolve().parents[2]
AS_IN_RUN_HELPERS = "from estimator_helpers import eagerly; from run_helpers import two_inner_folds"
RUN = f"""
import sys; from mixed_data.cli import main; {AS_IN_RUN_HELPERS}
with two_inner_folds(), eagerly():
    sys.exit(main(sys.argv[1:]))
"""
ELSEWHERE = {
    "TZ": "Pacific/Kiritimati",
    "LC_ALL": "C",
    "PYTHONUTF8": "0",
    "PYTHONCOERCECLOCALE": "0",
    "PYTHONHASHSEED": "4242",
    "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")]),
}
SAME_AGAIN = Case(
    "the same run from another folder, in another time zone and locale (ASCII), with another PYTHONHASHSEED",
    "the same bytes in metrics.json, missing.json and both files of predictions",
)


@documented("The same command again", [SAME_AGAIN])
def test_a_run_does_not_depend_on_where_and_when_it_is_started(case, hold_out_run, listings, tmp_path):
    words = [listings.name if word == str(listings) else word for word in hold_out_run.arguments]
    command = [sys.executable, "-c", RUN, *words, "--out", str(tmp_path / "run")]
    done = subprocess.run(command, cwd=listings.parent, env={**os.environ, **ELSEWHERE}, capture_output=True)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    for name in ("metrics.json", "predictions.csv", "model_predictions.csv", "held_out.csv", "missing.json"):
        assert (tmp_path / "run" / name).read_bytes() == (hold_out_run.folder / name).read_bytes()
