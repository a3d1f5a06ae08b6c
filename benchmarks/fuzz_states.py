"""Are damaged manifests, states, arrays and tables refused with a `ValueError`, or else of use, fast, in little memory?

    python -m benchmarks.fuzz_states --cases 100000 --seed 0

Damages small good files of ten kinds (`benchmarks.state_cases`) and reads each. What is wrong: any other exception,
or one without a message, a warning, numbers that are none, and what `benchmarks.fuzzing` says of every case: more than
5 s, more than 1 GB (of which Python with TensorFlow takes about 650 MB before the first file), a process that dies.
"""

from __future__ import annotations

import logging
import resource
import traceback
import warnings
from pathlib import Path
from random import Random

from benchmarks.fuzzing import Case, MakeCase, fuzz

LEEWAY_BYTES = 2 * 2**30  # beyond what a worker has mapped at its start: what asks for more gets a MemoryError
GOOD = ("accepted", "ValueError")


def prepare(folder: Path, seed: int) -> MakeCase:
    """Return what makes the case of a number: a damaged file of one of the kinds."""
    from benchmarks import state_cases

    warnings.simplefilter("error")
    logging.disable()
    originals = state_cases.make_originals(folder)
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + LEEWAY_BYTES,) * 2)

    def make_case(number: int) -> Case:
        random = Random(f"{seed} {number}")
        kind = state_cases.KINDS[number % len(state_cases.KINDS)]
        content = state_cases.damage(kind, originals.files[kind], random, list(originals.files.values()))

        def run() -> tuple[str, str]:
            try:
                state_cases.use(kind, content, originals, random)
            except ValueError as error:
                reason = str(error).replace(str(originals.folder), "")
                return ("ValueError", reason) if reason else ("no message", traceback.format_exc())
            except BaseException:
                return "another exception", traceback.format_exc()
            return "accepted", ""

        return Case(kind, content, run)

    return make_case


if __name__ == "__main__":
    fuzz(__doc__, prepare, GOOD, num_cases=100_000)
