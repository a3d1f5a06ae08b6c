"""The bundle: one folder that holds a fitted regressor, loadable on another machine and safe to load from a stranger.

```
bundle/
  manifest.json        format, versions, parameters, metrics, digests of the other files, golden predictions
  model.keras          the network (loaded with Keras' safe mode)
  preprocessing.json   what `MixedDataPreprocessor` learned, the schema included
  target.json          what `TargetTransformer` learned
  intervals.json       what `IntervalCalibrator` learned, where there are intervals
  backbone.keras       the frozen network that reads the photos, where there is one
  README.md            the model card, where there is one
  golden/              golden.json, the cells of the golden rows, and their photos
  folds/               of a cross-validated run: a bundle of each model that was scored; they share the backbone
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
from sklearn.utils.validation import check_is_fitted

from mixed_data import __version__
from mixed_data.bundle.golden import compare_golden, read_golden_rows, write_golden_rows
from mixed_data.embedding import PhotoEmbedder
from mixed_data.estimator import MixedDataRegressor
from mixed_data.intervals import IntervalCalibrator
from mixed_data.preprocessing import MixedDataPreprocessor, TargetTransformer
from mixed_data.preprocessing.state import INTEGER, NUMBERS, OBJECT, TEXT, check_fields, read_json, write_json

FORMAT = "mixed_data.bundle"
FORMAT_VERSION = 2
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
    "backbone": TEXT,
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
    card: str | None = None,
) -> None:
    """Write a fitted regressor as a bundle, whole or not at all.

    An existing bundle at ``path`` is replaced; any other existing folder is left alone.

    Args:
        regressor: fitted.
        path: the folder to write.
        metrics: of held-out rows, kept in the manifest.
        folds: the models of a cross-validation, each of which has not seen the rows of its fold.
        card: the model card, Markdown.

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
        backbones = _write_backbone(regressor, temporary, {})
        for number, fold in enumerate(folds):
            (temporary / "folds" / str(number)).mkdir(parents=True)
            _write_parts(fold, temporary / "folds" / str(number), {}, backbones)
        if card is not None:
            (temporary / "README.md").write_text(card, "utf-8")
        _write_parts(regressor, temporary, metrics or {}, backbones)
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
        predicted = regressor.predict(read_golden_rows(path / "golden", regressor.preprocessor_.schema))
        if regressor.embedder_ is not None:  # only the golden photos had to be computed here and now
            regressor.embedder_ = PhotoEmbedder(regressor.embedder_.backbone)
    except Exception as error:  # A stranger's files may be wrong in any way, and Keras raises errors of all kinds.
        raise BundleError(f"{path} cannot be loaded: {error}") from error
    if problem := compare_golden(manifest["golden_predictions"], predicted):
        raise BundleError(f"{path}: {problem}")
    return regressor


def read_metrics(path: str | os.PathLike[str]) -> dict[str, float]:
    """Return the held-out metrics that a bundle was saved with, without loading its model."""
    return _read_manifest(Path(path))["metrics"]


def _assemble(path: Path, manifest: dict[str, Any]) -> MixedDataRegressor:
    preprocessor = MixedDataPreprocessor.load(path / "preprocessing.json")
    transformer = TargetTransformer.from_state(read_json(path / "target.json"))
    regressor = MixedDataRegressor(preprocessor.schema, preprocessor=_unfitted(preprocessor), **manifest["parameters"])
    model = keras.saving.load_model(path / "model.keras", compile=False, safe_mode=True)
    embedder = PhotoEmbedder(_read_backbone(path, manifest), cached=False) if manifest["backbone"] else None
    intervals = path / "intervals.json"
    calibrator = IntervalCalibrator.from_state(read_json(intervals)) if intervals.exists() else None
    regressor.set_parts(model, preprocessor, transformer, embedder, calibrator)
    regressor.history_ = manifest["history"]
    return regressor


def _write_backbone(regressor: MixedDataRegressor, folder: Path, written: dict[str, str]) -> dict[str, str]:
    """Write the backbone unless it is in ``written``; returns all so far, as digest -> digest of the file."""
    if regressor.embedder_ is None or regressor.embedder_.digest in written:
        return written
    regressor.embedder_.backbone.save(folder / "backbone.keras")
    return {**written, regressor.embedder_.digest: _digest(folder / "backbone.keras")}


def _read_backbone(path: Path, manifest: dict[str, Any]) -> keras.Model:
    """Read the backbone of a bundle, which for a fold may stand in the bundle that it belongs to."""
    for file in (path / "backbone.keras", path.parent.parent / "backbone.keras"):
        if file.is_file() and _digest(file) == manifest["backbone"]:
            return keras.saving.load_model(file, compile=False, safe_mode=True)
    raise BundleError(f"{path}: the backbone that reads the photos is missing or was changed")


def _write_parts(
    regressor: MixedDataRegressor, folder: Path, metrics: dict[str, float], backbones: dict[str, str]
) -> None:
    backbones = _write_backbone(regressor, folder, backbones)
    # Without the optimizer, whose state is twice the size of the network, and which another backend may not know.
    network = keras.models.clone_model(regressor.model_)
    network.set_weights(regressor.model_.get_weights())
    network.save(folder / "model.keras")
    regressor.preprocessor_.save(folder / "preprocessing.json")
    write_json(folder / "target.json", regressor.target_transformer_.get_state())
    if regressor.calibrator_ is not None:
        write_json(folder / "intervals.json", regressor.calibrator_.get_state())
    golden = write_golden_rows(regressor.preprocessor_, folder / "golden")
    parameters = regressor.get_params(deep=False)
    if isinstance(parameters["image_weights"], os.PathLike):
        parameters["image_weights"] = os.fspath(parameters["image_weights"])
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
        "backbone": "" if regressor.embedder_ is None else backbones[regressor.embedder_.digest],
        "files": {name: _digest(folder / name) for name in _list_files(folder)},
    }
    write_json(folder / "manifest.json", manifest)


def _finite_or_none(values: Iterable[float]) -> list[float | None]:
    """Make losses fit for JSON: after an epoch of NaN the regressor went back to an earlier one, and may be saved."""
    return [float(value) if np.isfinite(value) else None for value in values]


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
