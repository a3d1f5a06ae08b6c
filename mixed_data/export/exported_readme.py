"""The page beside an exported model: what it reads and gives, and the lines that use it."""

from __future__ import annotations

from typing import Any

_ROWS = """import pandas as pd
from mixed_data.preprocessing.row_reader import RowReader

table = pd.read_csv("rows.csv")  # with the columns that the bundle was trained on
inputs = RowReader.load("preprocessing.json").transform(table)
"""
_USES = {
    "onnx": _ROWS
    + """
import onnxruntime

session = onnxruntime.InferenceSession("model.onnx")
given = {one.name: inputs[one.name] for one in session.get_inputs()}
(prediction,) = session.run(["prediction"], given)
""",
    "saved_model": _ROWS
    + """
import tensorflow

model = tensorflow.saved_model.load("saved_model/1")
serve = model.signatures["serving_default"]
given = {name: tensorflow.constant(inputs[name]) for name in serve.structured_input_signature[1]}
prediction = serve(**given)["prediction"].numpy()
""",
    "litert": _ROWS
    + """
import tensorflow  # or: from ai_edge_litert.interpreter import Interpreter

serve = tensorflow.lite.Interpreter("model.tflite").get_signature_runner("serving_default")
given = {name: inputs[name] for name in serve.get_input_details()}
prediction = serve(**given)["prediction"]
""",
    "mlflow": """import mlflow
import pandas as pd

model = mlflow.pyfunc.load_model("model")
table = pd.read_csv("rows.csv")  # photos as base64 in their columns
prediction = model.predict(table)["prediction"].to_numpy()
""",
}
_NOTES = {
    "onnx": "Intervals, warnings and reasons are not in this file; `mixed_data.runtime.Predictor` gives them.",
    "saved_model": "TensorFlow Serving reads the folder `saved_model`. Intervals, warnings and reasons are not in it.",
    "litert": "All operators are LiteRT's own, in float32. Intervals, warnings and reasons are not in it.",
    "mlflow": "`mlflow models serve -m model --env-manager local` serves it. The model holds the bundle and the code "
    "that reads it, and no pickle. Numbers are of type double: turn columns of whole numbers into float64.",
}


def write_readme(description: dict[str, Any]) -> str:
    """Return the page, Markdown.

    Args:
        description: what ``export.json`` says.
    """
    form = description["form"]
    lines = [
        f"# A mixed_data bundle as {form}",
        "",
        f"Made by mixed_data {description['mixed_data']} from the bundle of {description['bundle_created']}, whose "
        f"manifest.json has the SHA-256 {description['bundle_digest']}.",
        f"The predictions of its golden rows differ by {description['largest_difference']:.0e} of the largest.",
        "`export.json` says all this for programs.",
        "",
        *_write_table("reads", description["inputs"]),
        *_write_table("gives", description["outputs"]),
        "`n` is the number of rows. The order of encoded columns and of views is the one in `export.json`.",
        _NOTES[form],
        "",
        "```python",
        _USES[form].rstrip(),
        "```",
        "",
    ]
    return "\n".join(lines)


def _write_table(verb: str, ports: list[dict[str, Any]]) -> list[str]:
    rows = [f"| {one['name']} | {_write_type(one)} | {_write_contents(one)} |" for one in ports]
    return [f"| {verb} | type | what it holds |", "|---|---|---|", *rows, ""]


def _write_type(one: dict[str, Any]) -> str:
    return f"{one['dtype']} ({', '.join(map(str, one['shape']))})" if "dtype" in one else one["type"]


def _write_contents(one: dict[str, Any]) -> str:
    parts = [one["holds"]]
    if "views" in one:
        parts.append(f"views: {', '.join(one['views'])}")
    if "pixels" in one:
        pixels = one["pixels"]
        parts.append(f"{pixels['colours']}, 0 to 255, resize {pixels['resize']}")
    if one.get("target"):
        parts.append(f"{one['target']}{', ' + one['unit'] if one['unit'] else ''}")
    return "; ".join(parts).replace("|", "\\|")
