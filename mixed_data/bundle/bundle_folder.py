"""The bundle: one folder that holds a fitted regressor, loadable on another machine and safe to load from a stranger.

```
bundle/
  manifest.json        format, versions, parameters, metrics, digests of the other files, golden predictions
  network.onnx         the network, as the runtime reads it
  backbone_0.onnx      what turns a photo into a vector, where photos are read: a frozen network, or the network's own
                       part that sees
  model.keras          the network, and
  backbone_0.keras     the frozen network, as `MixedDataRegressor.load` reads them; nothing that predicts does
  preprocessing.json   what `MixedDataPreprocessor` learned, the schema included
  target.json          what `TargetTransformer` learned
  intervals.json       what `CalibratedIntervals` learned, where there are intervals
  comparables.json     training rows, without photos, only where that was asked for; see `ComparableRows`
  README.md            the model card, where there is one
  golden/              golden.json, the cells of the golden rows, and their photos
  folds/               of a cross-validated run: a bundle of each model that was scored; they share the backbone
```

That of a stack has no network. In its place are ``kernels.npz`` (the kernel machines), ``trees.npz`` (the trees),
``features.json`` (how trees read the table) and ``stack.json`` (how much each counts).

There is no pickle in it. The golden rows are made up (cells around the learned medians and levels, photos of coloured
clouds), so that a bundle gives away no row it was trained on, unless it was saved with them (``comparables``).
`load_bundle` predicts them again, from the photo files on, and refuses the bundle when the numbers differ from those at
saving.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import pandas as pd

from mixed_data.bundle.bundle_manifest import BundleError, check_digests, is_bundle, read_manifest, write_manifest
from mixed_data.bundle.comparable_rows import COMPARABLES_FILE, ComparableRows, describe_comparables
from mixed_data.bundle.golden_rows import compare_golden, read_golden_rows, write_golden_rows
from mixed_data.files.checked_json import read_json, write_json
from mixed_data.files.progress import track
from mixed_data.files.whole_files import exchange, name_unwritten
from mixed_data.intervals.calibrated_intervals import CalibratedIntervals
from mixed_data.preprocessing.lost_photos import without_photo_warnings
from mixed_data.preprocessing.photo_vectors import PhotoEmbedder, can_keep_vectors

Backbones = dict[str, tuple[dict[str, Any], dict[str, Any]]]
"""Digest of a backbone -> what the manifest says of it, and of it as ONNX, so that models of folds share files."""

NETWORK_FILE = "network.onnx"

_FOLDS = "folds"
_INTERVALS_FILE = "intervals.json"


class Bundled(Protocol):
    """What a regressor must know to be kept as a bundle: to write and to read its own part of one.

    Attributes:
        kind: its name in the manifest.
        image_branch: "pretrained" where vectors of photos are worth keeping.
        embedder_: what reads the photos, or None.
        fusion_weights_: branch -> weight of the fusion.
    """

    kind: str
    image_branch: str
    embedder_: PhotoEmbedder | None
    fusion_weights_: dict[str, float]

    def write_parts(self, folder: Path, backbones: Backbones, *, for_runtime: bool = True) -> dict[str, Any]:
        """Write all but golden rows, intervals and manifest.

        Args:
            folder: exists.
            backbones: those that were written already; new ones are added.
            for_runtime: whether networks are written as ONNX, too.

        Returns:
            What the manifest says of this regressor.
        """

    @classmethod
    def read_parts(cls, folder: Path, entry: dict[str, Any], places: Sequence[Path]) -> Self:
        """Read what `write_parts` wrote.

        Args:
            folder: of the bundle.
            entry: what the manifest says of this regressor.
            places: further folders in which a backbone may stand.

        Raises:
            ValueError: something is missing, was changed, or does not belong together.
        """

    def check_saved(self, folder: Path, golden: pd.DataFrame, predictions: np.ndarray) -> None:
        """Check that the runtime predicts the golden rows from a folder as this regressor does.

        Args:
            folder: of the bundle.
            golden: the golden rows.
            predictions: of this regressor for them.

        Raises:
            ValueError: it does not.
        """


def save_bundle(
    regressor: Any,
    path: str | os.PathLike[str],
    *,
    metrics: dict[str, float] | None = None,
    metric_intervals: Mapping[str, Sequence[float]] | None = None,
    folds: Sequence[Any] = (),
    card: str | None = None,
    about: Mapping[str, str] | None = None,
    for_runtime: bool = True,
    comparables: pd.DataFrame | None = None,
) -> None:
    """Write a fitted regressor as a bundle, whole or not at all.

    An existing bundle at ``path`` is replaced; any other existing folder is left alone.

    Args:
        regressor: fitted; see `Bundled`.
        path: the folder to write.
        metrics: of held-out rows, kept in the manifest.
        metric_intervals: lower and upper end of these, kept with them; see `mixed_data.metrics.bootstrap_intervals`.
        folds: the models of a cross-validation, each of which has not seen the rows of its fold.
        card: the model card, Markdown.
        about: what else the manifest says: the ``unit`` of the target, the ``command`` that made the bundle.
        for_runtime: whether the runtime can read it. Without, saving takes less time, and only ``load`` reads it.
        comparables: the training rows with their target, whose ids, columns and target the bundle then carries, to be
            shown as rows that resemble another. Whoever has the bundle can read them. None keeps none.

    Raises:
        FileExistsError: ``path`` exists and is not a bundle.
        NotFittedError: the regressor is not fitted.
        ValueError: ``comparables`` do not fit the schema, or the model reads no column.
    """
    regressor.check_fitted()
    rows = None if comparables is None else ComparableRows.learn(regressor.preprocessor_, comparables)
    path = Path(path)
    if path.exists() and not is_bundle(path):
        raise FileExistsError(f"{path} exists and is not a bundle; choose another folder or remove it")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        if card is not None:
            (temporary / "README.md").write_text(card, "utf-8")
        if rows is not None:
            rows.write(temporary / COMPARABLES_FILE)
        scores = {"metrics": metrics or {}, "metric_intervals": metric_intervals or {}}
        _write(regressor, temporary, {}, scores, folds, about or {}, for_runtime=for_runtime)
        os.chmod(temporary, 0o755)  # mkdtemp makes a folder that only its owner can read
        _replace_folder(temporary, path)
    except OSError as error:
        raise name_unwritten(path, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def load_bundle(path: str | os.PathLike[str], kinds: Mapping[str, Any], **how: Any) -> Any:
    """Read a bundle, check it, and predict its golden rows again.

    Args:
        path: a folder written by `save_bundle`.
        kinds: kind of a bundle -> the class that reads it, see `Bundled`; `mixed_data.estimator.KINDS` has all, and
            `mixed_data.runtime.saved_models.SAVED_MODELS` those that need no Keras.
        **how: further arguments of its ``read_parts``.

    Returns:
        A fitted regressor; it predicts what the saved one predicted.

    Raises:
        BundleError: the folder is not a bundle of this format version, a file is missing or was changed, something
            cannot be loaded, or a golden row is predicted differently.
    """
    path = Path(path)
    manifest = read_manifest(path)
    check_digests(path, manifest)
    try:
        regressor = _assemble(path, manifest, kinds, how)
        predicted = _predict_golden(regressor, path / "golden")
        problem = compare_golden(manifest["golden_predictions"], predicted)
        # Only the golden photos had to be computed here and now; and what takes less time than a look is not kept.
        if regressor.embedder_ is not None and regressor.image_branch == "pretrained" and can_keep_vectors():
            regressor.embedder_ = replace(regressor.embedder_, cached=True)
    except Exception as error:  # A stranger's files may be wrong in any way, and Keras raises errors of all kinds.
        kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
        raise BundleError(f"{path} cannot be loaded: {kind}{error!s:.2000}") from error
    if problem:
        raise BundleError(f"{path}: {problem}")
    return regressor


def _predict_golden(regressor: Any, folder: Path) -> np.ndarray:
    """Predict the golden rows as `predict` would, and use all else that was loaded."""
    _, scaled, difficulty = regressor.describe_rows(read_golden_rows(folder, regressor.preprocessor_.schema))
    calibrator = regressor.calibrator_
    if calibrator is not None:
        expected = (difficulty.shape[1], regressor.target_transformer_.log_)
        found = (calibrator.num_inputs_, calibrator.target_transformer_.log_)
        if found != expected:
            raise ValueError(f"{_INTERVALS_FILE}: expected (inputs, log) = {expected} as of the target, got {found}")
    if not all(np.isfinite(weight) for weight in regressor.fusion_weights_.values()):
        raise ValueError(f"the fusion's weights are {regressor.fusion_weights_}")
    return regressor.target_transformer_.inverse_transform(scaled)


def _write(
    regressor: Any,
    folder: Path,
    backbones: Backbones,
    scores: Mapping[str, Mapping[str, Any]],
    folds: Sequence[Any],
    about: Mapping[str, str],
    *,
    for_runtime: bool,
) -> None:
    """Write a bundle into a folder that exists; ``backbones`` grows by what was written."""
    entry = regressor.write_parts(folder, backbones, for_runtime=for_runtime)
    if regressor.calibrator_ is not None:
        write_json(folder / _INTERVALS_FILE, regressor.calibrator_.get_state())
    for number, fold in enumerate(track(folds, "saving the models of folds", len(folds))):
        inner = folder / _FOLDS / str(number)
        inner.mkdir(parents=True)
        _write(
            fold, inner, dict(backbones), {"metrics": {}, "metric_intervals": {}}, (), about, for_runtime=for_runtime
        )
    golden = write_golden_rows(regressor.preprocessor_, folder / "golden")
    with without_photo_warnings():
        predictions = regressor.predict(golden)
    write_manifest(
        folder,
        kind=regressor.kind,
        regressor=entry,
        metrics=scores["metrics"],
        metric_intervals=scores["metric_intervals"],
        about={**about, **describe_comparables(folder)},
        fusion_weights=regressor.fusion_weights_,
        golden_predictions=predictions.tolist(),
    )
    if for_runtime:
        regressor.check_saved(folder, golden, predictions)


def _assemble(path: Path, manifest: dict[str, Any], kinds: Mapping[str, Any], how: Mapping[str, Any]) -> Any:
    kind = manifest["kind"]
    if kind not in kinds:
        raise ValueError(f"expected a bundle of {' or '.join(map(repr, kinds))}, got {kind!r:.80}")
    places = []
    if path.absolute().parent.name == _FOLDS:  # A fold's backbone stands in the bundle that the fold belongs to.
        places.append(path.absolute().parent.parent)
    regressor = kinds[kind].read_parts(path, manifest["regressor"], places, **how)
    if (path / _INTERVALS_FILE).exists():
        regressor.calibrator_ = CalibratedIntervals.from_state(read_json(path / _INTERVALS_FILE))
    return regressor


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
