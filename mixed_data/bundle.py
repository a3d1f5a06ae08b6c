"""The bundle: one folder that holds a fitted regressor, loadable on another machine and safe to load from a stranger.

```
bundle/
  manifest.json        format, versions, parameters, metrics, digests of the other files, golden predictions
  model.keras          the network (loaded with Keras' safe mode)
  preprocessing.json   what `MixedDataPreprocessor` learned, the schema included
  target.json          what `TargetTransformer` learned
  golden/              golden.json, the cells of the golden rows, and their photos
  folds/               of a cross-validated run: a bundle of each model that was scored
```

There is no pickle in it. The golden rows are made up (cells around the learned medians and levels, photos of coloured
clouds), so that a bundle never gives away a row it was trained on. `load_bundle` predicts them again, from the photo
files on, and refuses the bundle when the numbers differ from those at saving.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from PIL import Image
from sklearn.utils.validation import check_is_fitted

from mixed_data import __version__
from mixed_data.cells import split_paths
from mixed_data.estimator import MixedDataRegressor
from mixed_data.preprocessing import MixedDataPreprocessor, TargetTransformer
from mixed_data.preprocessing.numeric import NumericColumn
from mixed_data.preprocessing.state import INTEGER, NUMBERS, OBJECT, TEXT, check_fields, read_json, write_json
from mixed_data.schema import Schema

FORMAT = "mixed_data.bundle"
FORMAT_VERSION = 1
GOLDEN_TOLERANCE = 1e-3
"""Largest relative difference of a golden prediction; another processor's arithmetic stays far below it."""

_NUM_FULL_GOLDEN_ROWS = 3
_GOLDEN_PHOTO_SIDE = 96
_LIBRARIES = ("keras", "numpy", "pandas", "pillow", "scikit-learn")
_MANIFEST_FIELDS = {
    "format": TEXT,
    "version": INTEGER,
    "created": TEXT,
    "versions": OBJECT,
    "parameters": OBJECT,
    "metrics": OBJECT,
    "fusion_weights": OBJECT,
    "history": OBJECT,
    "golden_predictions": NUMBERS,
    "files": OBJECT,
}


class BundleError(ValueError):
    """A folder is not a bundle, is damaged, or does not predict here what it predicted where it was saved."""


def save_bundle(
    regressor: MixedDataRegressor,
    path: str | os.PathLike[str],
    *,
    metrics: dict[str, float] | None = None,
    folds: Sequence[MixedDataRegressor] = (),
) -> None:
    """Write a fitted regressor as a bundle, whole or not at all.

    An existing bundle at ``path`` is replaced; any other existing folder is left alone.

    Args:
        regressor: fitted.
        path: the folder to write.
        metrics: of held-out rows, kept in the manifest.
        folds: the models of a cross-validation, each of which has not seen the rows of its fold.

    Raises:
        FileExistsError: ``path`` exists and is not a bundle.
        NotFittedError: the regressor is not fitted.
    """
    check_is_fitted(regressor)
    path = Path(path)
    if path.exists() and not _is_bundle(path):
        raise FileExistsError(f"{path} exists and is not a bundle; choose another folder or remove it")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        for number, fold in enumerate(folds):
            (temporary / "folds" / str(number)).mkdir(parents=True)
            _write_parts(fold, temporary / "folds" / str(number), {})
        _write_parts(regressor, temporary, metrics or {})
        os.chmod(temporary, 0o755)  # mkdtemp makes a folder that only its owner can read
        _replace_folder(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def load_bundle(path: str | os.PathLike[str]) -> MixedDataRegressor:
    """Read a bundle, check it, and predict its golden rows again.

    Args:
        path: a folder written by `save_bundle`.

    Returns:
        A fitted regressor; it predicts what the saved one predicted.

    Raises:
        BundleError: the folder is not a bundle of this format version, a file is missing or was changed, something
            cannot be loaded, or a golden row is predicted differently.
    """
    path = Path(path)
    manifest = _read_manifest(path)
    _check_digests(path, manifest)
    try:
        regressor = _assemble(path, manifest)
        predicted = regressor.predict(_read_golden_rows(path / "golden", regressor.preprocessor_.schema))
    except Exception as error:  # A stranger's files may be wrong in any way, and Keras raises errors of all kinds.
        raise BundleError(f"{path} cannot be loaded: {error}") from error
    _check_golden(path, manifest["golden_predictions"], predicted)
    return regressor


def read_metrics(path: str | os.PathLike[str]) -> dict[str, float]:
    """Return the held-out metrics that a bundle was saved with, without loading its model."""
    return _read_manifest(Path(path))["metrics"]


def _assemble(path: Path, manifest: dict[str, Any]) -> MixedDataRegressor:
    preprocessor = MixedDataPreprocessor.load(path / "preprocessing.json")
    transformer = TargetTransformer.from_state(read_json(path / "target.json"))
    regressor = MixedDataRegressor(preprocessor.schema, preprocessor=_unfitted(preprocessor), **manifest["parameters"])
    model = keras.saving.load_model(path / "model.keras", compile=False, safe_mode=True)
    regressor.set_parts(model, preprocessor, transformer)
    regressor.history_ = manifest["history"]
    return regressor


def _write_parts(regressor: MixedDataRegressor, folder: Path, metrics: dict[str, float]) -> None:
    # Without the optimizer, whose state is twice the size of the network, and which another backend may not know.
    network = keras.models.clone_model(regressor.model_)
    network.set_weights(regressor.model_.get_weights())
    network.save(folder / "model.keras")
    regressor.preprocessor_.save(folder / "preprocessing.json")
    write_json(folder / "target.json", regressor.target_transformer_.get_state())
    golden = _write_golden_rows(regressor.preprocessor_, folder / "golden")
    parameters = regressor.get_params(deep=False)
    del parameters["schema"], parameters["preprocessor"]  # both stand in preprocessing.json
    manifest = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {
            "mixed_data": __version__,
            "python": platform.python_version(),
            "backend": keras.backend.backend(),
            **{name: version(name) for name in _LIBRARIES},
        },
        "parameters": parameters,
        "metrics": metrics,
        "fusion_weights": regressor.fusion_weights_,
        "history": {name: _finite_or_none(values) for name, values in regressor.history_.items()},
        "golden_predictions": regressor.predict(golden).tolist(),
        "files": {name: _digest(folder / name) for name in _list_files(folder)},
    }
    write_json(folder / "manifest.json", manifest)


def _write_golden_rows(preprocessor: MixedDataPreprocessor, folder: Path) -> pd.DataFrame:
    """Make up rows that use every column and view, and one row in which everything is missing."""
    folder.mkdir()
    schema = preprocessor.schema
    columns = {column.name: column for column in preprocessor.tabular_.columns_}
    generator = np.random.default_rng(0)
    rows: list[dict[str, Any]] = []
    for position in range(_NUM_FULL_GOLDEN_ROWS):
        row: dict[str, Any] = {}
        for index, name in enumerate(schema.features):
            column = columns.get(name)  # None: dropped as constant or empty, any cell will do
            if isinstance(column, NumericColumn):
                step = ((position + index) % _NUM_FULL_GOLDEN_ROWS - 1) * (column.scale or 0.0)
                linear = column.log_above is None
                row[name] = float(column.median + step if linear else column.median * np.exp(step))
            elif column is not None:
                levels = [*column.groups[0].kept, *column.groups[0].rare]
                row[name] = levels[(position * len(levels)) // _NUM_FULL_GOLDEN_ROWS] if levels else None
        for name, count in zip(schema.images, preprocessor.images_.num_photos_, strict=True):
            files = [f"{position}-{schema.images.index(name)}-{number}.jpg" for number in range(count)]
            for file in files:
                _draw_clouds(generator).save(folder / file, quality=90)
            row[name] = ";".join(files)
        rows.append(row)
    rows.append({})
    write_json(folder / "golden.json", rows)
    return _read_golden_rows(folder, schema)


def _read_golden_rows(folder: Path, schema: Schema) -> pd.DataFrame:
    # JSON, since any text may be a column's name in a DataFrame, but not in a CSV file.
    table = pd.DataFrame(read_json(folder / "golden.json"), columns=[*schema.features, *schema.images])
    for name in schema.images:
        table[name] = [";".join(str(folder / file) for file in split_paths(cell)) for cell in table[name]]
    return table


def _draw_clouds(generator: np.random.Generator) -> Image.Image:
    coarse = generator.integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((_GOLDEN_PHOTO_SIDE,) * 2, Image.Resampling.BICUBIC)


def _finite_or_none(values: Iterable[float]) -> list[float | None]:
    """Make losses fit for JSON: after an epoch of NaN the regressor went back to an earlier one, and may be saved."""
    return [float(value) if np.isfinite(value) else None for value in values]


def _check_golden(path: Path, expected: list[float], predicted: np.ndarray) -> None:
    if predicted.shape != (len(expected),):
        raise BundleError(f"{path}: {len(expected)} golden predictions for {len(predicted)} golden rows")
    scale = max(1e-12, float(np.max(np.abs(expected))))
    worst = float(np.max(np.abs(predicted - expected))) / scale
    if not worst <= GOLDEN_TOLERANCE:
        raise BundleError(
            f"{path}: the golden rows are predicted differently here (by {worst:.2%} of the largest, allowed are "
            f"{GOLDEN_TOLERANCE:.1%}): expected {expected}, got {predicted.tolist()}. Compare the library versions in "
            "manifest.json with yours."
        )


def _read_manifest(path: Path) -> dict[str, Any]:
    if not (path / "manifest.json").is_file():
        raise BundleError(f"{path} is not a bundle: it has no manifest.json")
    try:
        manifest = read_json(path / "manifest.json")
    except ValueError as error:
        raise BundleError(f"{path}: {error}") from error
    found = (manifest.get("format"), manifest.get("version")) if isinstance(manifest, dict) else manifest
    if found != (FORMAT, FORMAT_VERSION):
        raise BundleError(
            f"{path}: expected a manifest of format {FORMAT!r}, version {FORMAT_VERSION}, got {found!r}; "
            "use the version of mixed_data that wrote it"
        )
    try:
        return check_fields(manifest, f"{path}: manifest.json", _MANIFEST_FIELDS)
    except ValueError as error:
        raise BundleError(str(error)) from None


def _is_bundle(path: Path) -> bool:
    """Tell a bundle of any version from folders that have another manifest.json, such as a web page's."""
    try:
        manifest = read_json(path / "manifest.json")
    except (OSError, ValueError):
        return False
    return isinstance(manifest, dict) and manifest.get("format") == FORMAT


def _check_digests(path: Path, manifest: dict[str, Any]) -> None:
    found = {name: _digest(path / name) for name in _list_files(path) if name != "manifest.json"}
    if found != manifest["files"]:
        names = sorted({name for name, _ in set(found.items()) ^ set(manifest["files"].items())})
        raise BundleError(f"{path}: missing, added or changed since it was saved: {', '.join(names)}")


def _list_files(folder: Path) -> list[str]:
    return sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _replace_folder(new: Path, path: Path) -> None:
    """Move ``new`` to ``path``; an old bundle there is moved aside first, and back if that fails."""
    if not path.exists():
        os.replace(new, path)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{path.name}-old-", dir=path.parent)) / "bundle"
    os.replace(path, old)
    try:
        os.replace(new, path)
    except BaseException:  # Also when the user stops the program here.
        os.replace(old, path)
        raise
    finally:
        shutil.rmtree(old.parent, ignore_errors=True)


def _unfitted(preprocessor: MixedDataPreprocessor) -> MixedDataPreprocessor:
    return MixedDataPreprocessor(**preprocessor.get_params(deep=False))
