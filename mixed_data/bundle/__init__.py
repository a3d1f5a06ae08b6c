"""The bundle: one folder that holds a fitted regressor, loadable on another machine and safe to load from a stranger.

```
bundle/
  manifest.json        format, versions, parameters, metrics, digests of the other files, golden predictions
  model.keras          the network (see `mixed_data.network.checked_keras_files` for what is checked before it is read)
  preprocessing.json   what `MixedDataPreprocessor` learned, the schema included
  target.json          what `TargetTransformer` learned
  intervals.json       what `IntervalCalibrator` learned, where there are intervals
  backbone.keras       the frozen network that reads the photos, where there is one
  README.md            the model card, where there is one
  golden/              golden.json, the cells of the golden rows, and their photos
  folds/               of a cross-validated run: a bundle of each model that was scored; they share the backbone
```

That of a stack has two networks in folders, ``network/`` and ``photos/``, and beside them ``trees.skops`` (the trees),
``features.json`` (how they read the table) and ``stack.json`` (how much each counts).

There is no pickle in it. The golden rows are made up (cells around the learned medians and levels, photos of coloured
clouds), so that a bundle never gives away a row it was trained on. `load_bundle` predicts them again, from the photo
files on, and refuses the bundle when the numbers differ from those at saving.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from mixed_data.boosting.saved_trees import read_trees, write_trees
from mixed_data.bundle.golden_rows import compare_golden, read_golden_rows, write_golden_rows
from mixed_data.bundle.manifest import BundleError, check_digests, is_bundle, read_manifest, write_manifest
from mixed_data.bundle.networks import Backbones, read_network, write_network
from mixed_data.estimator import MixedDataRegressor
from mixed_data.estimator.stacked_regressor import StackedRegressor
from mixed_data.files.checked_json import INTEGER, NUMBERS, OBJECT, check_fields, read_json, write_json
from mixed_data.files.whole_files import exchange, name_unwritten
from mixed_data.intervals import IntervalCalibrator
from mixed_data.network.photo_vectors import PhotoEmbedder
from mixed_data.prediction.missing_patterns import PATTERNS
from mixed_data.preprocessing import TargetTransformer

__all__ = ["BundleError", "load_bundle", "save_bundle"]

Regressor = MixedDataRegressor | StackedRegressor
_NETWORK, _STACK = "network", "stack"
_STACK_NETWORKS = ("network", "photos")
_FOLDS = "folds"


def save_bundle(
    regressor: Regressor,
    path: str | os.PathLike[str],
    *,
    metrics: dict[str, float] | None = None,
    folds: Sequence[Regressor] = (),
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
    if path.exists() and not is_bundle(path):
        raise FileExistsError(f"{path} exists and is not a bundle; choose another folder or remove it")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        backbones: Backbones = {}
        networks = _write_parts(regressor, temporary, backbones)
        for number, fold in enumerate(folds):
            folder = temporary / _FOLDS / str(number)
            folder.mkdir(parents=True)
            _finish(fold, folder, _write_parts(fold, folder, dict(backbones)), {})
        if card is not None:
            (temporary / "README.md").write_text(card, "utf-8")
        _finish(regressor, temporary, networks, metrics or {})
        os.chmod(temporary, 0o755)  # mkdtemp makes a folder that only its owner can read
        _replace_folder(temporary, path)
    except OSError as error:
        raise name_unwritten(path, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def load_bundle(path: str | os.PathLike[str]) -> Any:
    """Read a bundle, check it, and predict its golden rows again.

    Args:
        path: a folder written by `save_bundle`.

    Returns:
        A fitted `MixedDataRegressor` or `StackedRegressor`; it predicts what the saved one predicted.

    Raises:
        BundleError: the folder is not a bundle of this format version, a file is missing or was changed, something
            cannot be loaded, or a golden row is predicted differently.
    """
    path = Path(path)
    manifest = read_manifest(path)
    check_digests(path, manifest)
    try:
        regressor = _assemble(path, manifest)
        predicted = _predict_golden(regressor, path / "golden")
        problem = compare_golden(manifest["golden_predictions"], predicted)
        for network in _networks_of(regressor).values():
            if network.embedder_ is not None:  # only the golden photos had to be computed here and now
                network.embedder_ = PhotoEmbedder(network.embedder_.backbone)
    except Exception as error:  # A stranger's files may be wrong in any way, and Keras raises errors of all kinds.
        kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
        raise BundleError(f"{path} cannot be loaded: {kind}{error!s:.2000}") from error
    if problem:
        raise BundleError(f"{path}: {problem}")
    return regressor


def _predict_golden(regressor: Regressor, folder: Path) -> np.ndarray:
    """Predict the golden rows as `predict` would, and use all else that was loaded."""
    rows = read_golden_rows(folder, regressor.preprocessor_.schema)
    scaled, difficulty = regressor.describe(rows, regressor.transform(rows))
    calibrator = regressor.calibrator_
    if calibrator is not None:
        expected = (difficulty.shape[1], regressor.target_transformer_.log_)
        found = (calibrator.num_inputs_, calibrator.target_transformer_.log_)
        if found != expected:
            raise ValueError(f"intervals.json: expected (inputs, log) = {expected} as of the target, got {found}")
    if not all(np.isfinite(weight) for weight in regressor.fusion_weights_.values()):
        raise ValueError(f"the fusion's weights are {regressor.fusion_weights_}")
    return regressor.target_transformer_.inverse_transform(scaled)


def _networks_of(regressor: Regressor) -> dict[str, MixedDataRegressor]:
    """Folder in the bundle -> network."""
    if isinstance(regressor, MixedDataRegressor):
        return {".": regressor}
    return dict(zip(_STACK_NETWORKS, (regressor.network_, regressor.photos_), strict=True))


def _write_parts(regressor: Regressor, folder: Path, backbones: Backbones) -> dict[str, Any]:
    """Write everything but golden rows and manifest; ``backbones`` grows by what was written."""
    networks = {}
    for name, network in _networks_of(regressor).items():
        (folder / name).mkdir(exist_ok=True)
        networks[name] = write_network(network, folder / name, backbones)
    if isinstance(regressor, StackedRegressor):
        write_trees(regressor.trees_, folder)
        write_json(folder / "target.json", regressor.target_transformer_.get_state())
        weights = {pattern: list(weights) for pattern, weights in regressor.weights_.items()}
        write_json(folder / "stack.json", {"random_state": int(regressor.random_state), "weights": weights})
    if regressor.calibrator_ is not None:
        write_json(folder / "intervals.json", regressor.calibrator_.get_state())
    return networks


def _finish(regressor: Regressor, folder: Path, networks: dict[str, Any], metrics: dict[str, float]) -> None:
    golden = write_golden_rows(regressor.preprocessor_, folder / "golden")
    write_manifest(
        folder,
        kind=_NETWORK if isinstance(regressor, MixedDataRegressor) else _STACK,
        networks=networks,
        metrics=metrics,
        fusion_weights=regressor.fusion_weights_,
        golden_predictions=regressor.predict(golden).tolist(),
    )


def _assemble(path: Path, manifest: dict[str, Any]) -> Regressor:
    kind, entries = manifest["kind"], manifest["networks"]
    folders = {_NETWORK: (".",), _STACK: _STACK_NETWORKS}.get(kind)
    if folders is None or set(entries) != set(folders):
        raise ValueError(f"expected a network or a stack of two, got {kind!r:.80} of {list(entries)[:3]!r:.200}")
    wholes = [path]
    if path.absolute().parent.name == _FOLDS:  # A fold's backbone stands in the bundle that the fold belongs to.
        wholes.append(path.absolute().parent.parent)
    places = [whole / name for whole in wholes for name in (".", *folders)]
    networks = [read_network(path / name, entries[name], places) for name in folders]
    regressor = networks[0] if kind == _NETWORK else _read_stack(path, *networks)
    if (path / "intervals.json").exists():
        regressor.calibrator_ = IntervalCalibrator.from_state(read_json(path / "intervals.json"))
    return regressor


def _read_stack(path: Path, network: MixedDataRegressor, photos: MixedDataRegressor) -> StackedRegressor:
    random_state, weights = read_weights(path / "stack.json")
    transformer = TargetTransformer.from_state(read_json(path / "target.json"))
    unfitted = clone(network).set_params(target_transform=transformer.method)
    has_intervals = (path / "intervals.json").exists()
    stack = StackedRegressor(unfitted, intervals=has_intervals, random_state=random_state)
    trees = read_trees(stack.make_trees(), path)
    stack.set_parts(network, photos, trees, transformer, weights)
    return stack


def read_weights(file: Path) -> tuple[int, dict[str, tuple[float, float]]]:
    """Read the seed of a stack, and how much network and trees count in each pattern.

    Raises:
        ValueError: the file holds something else.
    """
    state = check_fields(read_json(file), file.name, {"random_state": INTEGER, "weights": OBJECT})
    weights = check_fields(state["weights"], f"{file.name}, weights", dict.fromkeys(PATTERNS, NUMBERS))
    if any(len(pair) != 2 for pair in weights.values()):
        raise ValueError(f"{file.name}: expected two weights for each of {list(PATTERNS)}, got {weights!s:.300}")
    return state["random_state"], {pattern: (pair[0], pair[1]) for pattern, pair in weights.items()}


def _replace_folder(new: Path, path: Path) -> None:
    """Move ``new`` to ``path``, or exchange it with an old bundle there.

    Where the system knows no exchange, the old one is moved aside first, and back if the move fails: a process that is
    killed between the two leaves the old bundle in the hidden folder beside ``path``.
    """
    if not path.exists():
        os.replace(new, path)
        return
    if exchange(new, path):
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
