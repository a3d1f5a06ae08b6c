"""Is the verdict right where the truth is known? The sample with and without a photo signal, one study per seed.

    python -m benchmarks.verdict_on_sample --photo-signal 0 --seeds 20
    python -m benchmarks.verdict_on_sample --photo-signal 1 --seeds 5

Each seed draws other houses and asks "Do the photos help?" of the network, of the same network without photos and of
its placebo, on the same grouped folds. With ``--photo-signal 0`` the answer "helps" is wrong, in at most 2 of 20 seeds;
with a signal it is right. Prints one line per seed and the count.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from mixed_data.cli.process_start import start_keras, worker_processes


def main() -> None:
    """Reach one verdict per seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photo-signal", type=float, default=0.0)
    parser.add_argument("--seeds", type=int, default=20, help="default: %(default)s")
    parser.add_argument("--first-seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--rows", type=int, default=600, help="default: %(default)s")
    parser.add_argument("--repeats", type=int, default=1, help="default: %(default)s")
    parser.add_argument("--folds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--epochs", type=int, default=20, help="default: %(default)s")
    parser.add_argument("--image-size", type=int, default=32, help="default: %(default)s")
    parser.add_argument("--fusion", default="weighted_sum", help="default: %(default)s")
    parser.add_argument("--jobs", type=int, default=1, help="default: %(default)s")
    options = parser.parse_args()
    start_keras()
    claims = []
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    with tempfile.TemporaryDirectory() as folder, worker_processes(options.jobs):
        for seed in seeds:
            started = time.perf_counter()
            entry = reach_verdict_on_sample(Path(folder), seed, options)
            claims.append(entry["claim"])
            seconds = time.perf_counter() - started
            print(f"seed {seed}: [{entry['claim']}] {entry['answer']} {seconds:.0f} s", flush=True)
    counts = ", ".join(f"{claim} {claims.count(claim)}" for claim in dict.fromkeys(claims))
    print(f"photo signal {options.photo_signal:g}, {options.rows} rows, {len(claims)} seeds: {counts}")


def reach_verdict_on_sample(folder: Path, seed: int, options: argparse.Namespace) -> dict[str, object]:
    """Return the entry "Do the photos help?" for the houses of one seed."""
    from mixed_data.evaluation.compared_models import make_candidates
    from mixed_data.evaluation.model_names import PLACEBO, TABLE
    from mixed_data.evaluation.repeated_folds import Protocol, run_repeats
    from mixed_data.evaluation.verdict import reach_verdict
    from mixed_data.preprocessing import MixedDataPreprocessor
    from mixed_data.readers import READERS

    table, schema = READERS["sample"](folder, rows=options.rows, seed=seed, photo_signal=options.photo_signal)
    arguments = {
        "preprocessor": MixedDataPreprocessor(schema, image_size=options.image_size),
        "epochs": options.epochs,
        "random_state": seed,
    }
    everything = make_candidates(schema, arguments, networks=[TABLE], main=options.fusion, views=False, intervals=False)
    candidates = {name: everything[name] for name in (TABLE, options.fusion, PLACEBO)}
    protocol = Protocol(options.repeats, options.folds, random_state=seed)
    run = run_repeats(table, schema, candidates, protocol)
    return reach_verdict(run.evidence, main=options.fusion, fusions=[options.fusion])[0]


if __name__ == "__main__":
    main()
