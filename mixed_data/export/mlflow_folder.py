"""A bundle as an MLflow model from code: no pickle, photos as columns of base64 text."""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from base64 import b64encode
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mixed_data.runtime import Predictor
from mixed_data.schema.photo_paths import split_paths

MLFLOW_FOLDER = "model"
RUNTIME_LIBRARIES = ("numpy", "pandas", "pillow", "onnxruntime")
"""What a model needs beside MLflow; those of requirements-runtime.txt."""

_CODE = """from mlflow.models import set_model

from mixed_data.export.pyfunc_model import BundleModel

set_model(BundleModel())
"""


def write_mlflow(predictor: Predictor, bundle: Path, folder: Path) -> Callable[[pd.DataFrame], np.ndarray]:
    """Write a bundle of any kind as an MLflow model, with this package's code, in `MLFLOW_FOLDER`.

    Args:
        predictor: of the bundle.
        bundle: its folder.
        folder: to write in.

    Returns:
        What predicts rows by the model, loaded with MLflow.

    Raises:
        ModuleNotFoundError: MLflow is not installed.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # a command that exports tells nobody of it
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    import mlflow

    place = folder / MLFLOW_FOLDER
    with tempfile.TemporaryDirectory() as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's own, about its own type hints
        code = Path(temporary) / "bundle_model.py"
        code.write_text(_CODE, "utf-8")
        mlflow.pyfunc.save_model(
            place,
            python_model=str(code),
            artifacts={"bundle": str(bundle)},
            code_paths=[str(Path(__file__).resolve().parents[1])],
            signature=_describe(predictor),
            pip_requirements=[f"{name}=={version(name)}" for name in RUNTIME_LIBRARIES],
        )
        path = [*sys.path]
        model = mlflow.pyfunc.load_model(str(place))
        sys.path[:] = path  # MLflow puts the model's copy of this package in front
    return lambda table: model.predict(encode_photos(table, predictor))["prediction"].to_numpy()


def describe_columns(predictor: Predictor) -> list[dict[str, Any]]:
    """Return the columns of the model's input: name, type and what each holds."""
    schema = predictor.schema
    photo = "a photo's file in base64"
    counts = dict(zip(schema.images, predictor.model.preprocessor_.images_.num_photos_, strict=True))
    return [
        *({"name": name, "type": "double", "holds": "a number"} for name in schema.features if name in schema.numeric),
        *({"name": name, "type": "string", "holds": "text"} for name in schema.features if name not in schema.numeric),
        *(
            {
                "name": name,
                "type": "string",
                "holds": f"{photo}, up to {count} with ';' between" if count > 1 else photo,
            }
            for name, count in counts.items()
        ),
    ]


def describe_outputs(predictor: Predictor) -> list[dict[str, Any]]:
    """Return the columns of the model's output likewise."""
    ends = {"lower": "the lower end of the interval", "upper": "its upper end"} if predictor.has_intervals else {}
    schema, unit = predictor.schema, predictor.unit or "target units"
    numbers = {"prediction": f"{schema.target}, in {unit}", **ends}
    counts = {"images_used": "number of photos"}
    if schema.categorical or schema.codes:
        counts["level_rows"] = "in how many training rows the row's rarest level stood"
    return [
        *({"name": name, "type": "double", "holds": text} for name, text in numbers.items()),
        *({"name": name, "type": "long", "holds": text} for name, text in counts.items()),
        {"name": "warnings", "type": "string", "holds": "what was doubtful, empty for a row in order"},
    ]


def encode_photos(table: pd.DataFrame, predictor: Predictor) -> pd.DataFrame:
    """Turn rows with paths of photos into rows as the model wants them."""
    table = table.astype(dict.fromkeys(predictor.schema.numeric, "float64"))
    for name in predictor.schema.images:
        photos = [[b64encode(Path(path).read_bytes()).decode() for path in split_paths(cell)] for cell in table[name]]
        table[name] = [";".join(cell) or None for cell in photos]
    return table


def _describe(predictor: Predictor) -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema

    from mixed_data.export.pyfunc_model import COVERAGE, DEFAULT_COVERAGE

    columns = [ColSpec(one["type"], one["name"], required=False) for one in describe_columns(predictor)]
    parameters = [ParamSpec(COVERAGE, DataType.double, DEFAULT_COVERAGE)] if predictor.has_intervals else []
    return ModelSignature(
        Schema(columns),
        Schema([ColSpec(one["type"], one["name"]) for one in describe_outputs(predictor)]),
        ParamSchema(parameters) if parameters else None,
    )
