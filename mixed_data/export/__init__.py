"""A bundle in a form that other runtimes read, with the preprocessing and the unit beside it."""

import os
from pathlib import Path
from typing import Any

from mixed_data.export.exported_folder import write_folder
from mixed_data.export.exported_forms import export_litert, export_mlflow, export_onnx, export_saved_model

EXPORTERS = {
    "onnx": export_onnx,
    "saved_model": export_saved_model,
    "litert": export_litert,
    "mlflow": export_mlflow,
}
"""Name of a format -> what writes it; see `mixed_data.export.exported_folder.Exporter`."""

__all__ = ["EXPORTERS", "export_bundle"]


def export_bundle(bundle: str | os.PathLike[str], name: str, out: str | os.PathLike[str]) -> dict[str, Any]:
    """Write a bundle in another form, read that again with its own runtime, and compare.

    Args:
        bundle: its folder.
        name: of the format, a key of `EXPORTERS`.
        out: folder to write; it must be empty or not exist.

    Returns:
        What ``export.json`` says.

    Raises:
        FileExistsError: ``out`` exists and is not empty.
        BundleError: the bundle cannot be used.
        ValueError: this bundle has no such form, or its export predicts the golden rows differently.

    Example:
        >>> export_bundle("runs/my-run/bundle", "onnx", "exported")["largest_difference"]
        1.2e-07
    """
    return write_folder(Path(bundle), name, EXPORTERS[name], Path(out))
