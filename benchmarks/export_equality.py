"""Does every export predict what the runtime and Keras predict, with each of the eight fusions?

    python -m benchmarks.export_equality [--fusions film late] [--rows 500]

Fits a CNN with two packed members per fusion for one epoch on 100 sample rows, saves it, exports it in each format, and
predicts others, of which every fifth lacks its photos and every seventh its cells. Without MLflow, that is left out.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from mixed_data.cli.option_values import FUSION_NAMES
from mixed_data.cli.process_start import start_keras


def main() -> None:
    """Print one line per fusion: the largest relative difference to the runtime, per format; that of Keras first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fusions", nargs="+", choices=FUSION_NAMES, default=FUSION_NAMES)
    parser.add_argument("--rows", type=int, default=500)
    options = parser.parse_args()
    start_keras()
    from mixed_data.estimator import MixedDataRegressor
    from mixed_data.export.exported_arrays import ExportedArrays
    from mixed_data.export.joined_onnx import write_onnx
    from mixed_data.export.mlflow_folder import write_mlflow
    from mixed_data.export.tensorflow_graph import write_litert, write_saved_model
    from mixed_data.readers import READERS
    from mixed_data.runtime import Predictor

    graphs = {"onnx": write_onnx, "saved_model": write_saved_model, "litert": write_litert}
    has_mlflow = find_spec("mlflow") is not None
    names = ["keras", *graphs, "onnx alone", *(["mlflow"] if has_mlflow else [])]
    print(f"{'fusion':<20}" + "".join(f"{name:>13}" for name in names) + f"{'seconds':>9}")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        table, schema = READERS["sample"](folder / "sample", rows=100 + options.rows)
        rows = table[100:].reset_index(drop=True).astype(dict.fromkeys(schema.features, object))
        rows.loc[::5, list(schema.images)] = None
        rows.loc[::7, list(schema.features)] = None
        for fusion in options.fusions:
            started, bundle = time.perf_counter(), folder / fusion
            regressor = MixedDataRegressor(schema, fusion=fusion, members=2, epochs=1, random_state=0)
            regressor.fit(table[:100], table[:100][schema.target]).save(bundle)
            predictor = Predictor(bundle)
            expected = predictor.predict(rows)
            arrays = ExportedArrays.of(predictor, bundle)
            inputs = arrays.make(rows)
            found = {"keras": regressor.predict(rows)}
            for name, write in graphs.items():
                predict = write(predictor, bundle, arrays, folder)
                found[name] = predict(inputs)
                if name == "onnx":
                    each = range(options.rows)
                    alone = [predict({key: array[row : row + 1] for key, array in inputs.items()})[0] for row in each]
                    found["onnx alone"] = np.array(alone) / found[name] * expected
            if has_mlflow:
                found["mlflow"] = write_mlflow(predictor, bundle, folder / f"{fusion}-mlflow")(rows)
            differences = "".join(f"{np.max(np.abs(found[name] / expected - 1)):>13.1e}" for name in names)
            print(f"{fusion:<20}{differences}{time.perf_counter() - started:>9.0f}", flush=True)


if __name__ == "__main__":
    main()
