"""The models of bundles as the runtime reads them: networks as ONNX, trees and kernel machines as arrays."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from mixed_data.boosting.boosted_trees import BoostedTrees
from mixed_data.bundle.bundle_folder import NETWORK_FILE
from mixed_data.bundle.saved_photo_readers import read_photo_readers
from mixed_data.files.checked_json import OBJECT, OBJECTS, check_fields, read_json
from mixed_data.kernels.kernel_machines import KernelMachines
from mixed_data.prediction.member_spread import describe_members
from mixed_data.prediction.missing_patterns import INPUT_NAMES
from mixed_data.prediction.predicted_rows import RowRegressor
from mixed_data.prediction.stacked_prediction import (
    KERNELS_FILE,
    PHOTOS,
    STACK_FILE,
    StackedPrediction,
    read_weights,
)
from mixed_data.prediction.typical_photos import TYPICAL_FILE, TypicalPhotos
from mixed_data.preprocessing.onnx_backbone import OnnxBackbone
from mixed_data.preprocessing.onnx_session import OnnxSession
from mixed_data.preprocessing.photo_decoding import load_photo
from mixed_data.preprocessing.photo_vectors import PhotoEmbedder
from mixed_data.preprocessing.row_reader import Inputs, RowReader
from mixed_data.preprocessing.target_scale import TargetScale

_PREDICTION = "prediction"
_NUM_TOGETHER = 256
_MOST_NETWORK_BYTES = 2**30
_MOST_MEMBERS = 4096
_KINDS_OF_INPUT = {"tabular": "tensor(float)", "images": "tensor(float)"}


class SavedModel(RowRegressor):
    """A fitted model read from a bundle.

    Attributes:
        kind: its name in bundles.
        modalities: "both", "tabular" or "image".
        image_branch: as its regressor's.
        readers_: what turn a photo into a vector, whose parts stand side by side; none where no photos are read.
        typical_photos_: vectors of the typical photo of each view; None where they are not known.
        embedder_: the same, where a frozen network takes its time, so that vectors are kept; else None.
    """

    kind: ClassVar[str]
    image_branch: str
    readers_: tuple[OnnxBackbone, ...]
    embedder_: PhotoEmbedder | None
    typical_photos_: TypicalPhotos | None
    fusion_weights_: dict[str, float]

    @classmethod
    def read_parts(
        cls, folder: Path, entry: dict[str, Any], places: Sequence[Path], *, num_threads: int | None = None
    ) -> Self:
        """Read what a regressor's `write_parts` wrote; see `mixed_data.bundle.Bundled`.

        Args:
            folder: of the bundle.
            entry: what the manifest says of the regressor.
            places: further folders in which what reads photos may stand.
            num_threads: that work on one photo; None for all cores.
        """
        what = f"{folder}: the manifest's entry"
        check_fields({name: entry.get(name) for name in _ENTRY}, what, _ENTRY)
        model = cls()
        model.modalities = entry["parameters"].get("modalities", "both")
        model.image_branch = str(entry["parameters"].get("image_branch"))
        if model.modalities not in INPUT_NAMES:
            raise ValueError(f"{what}: expected modalities of {', '.join(INPUT_NAMES)}, got {model.modalities!r:.80}")
        model.preprocessor_ = RowReader.load(folder / "preprocessing.json")
        model.preprocessor_.images_.remember = False
        model.target_transformer_ = TargetScale.from_state(read_json(folder / "target.json"))
        model.readers_ = read_photo_readers(entry["photo_readers"], [folder, *places], num_threads=num_threads)
        is_slow = model.image_branch == "pretrained" and model.readers_
        model.embedder_ = PhotoEmbedder(model.readers_, cached=False, remember=False) if is_slow else None
        model.calibrator_, model.fusion_weights_, model.typical_photos_ = None, {}, None
        model._read(folder)
        return model

    def read_rows(self, table: pd.DataFrame) -> Inputs:
        """Turn rows that fit the schema into arrays, with vectors for photos: images are float32 ``(n, V, D)``."""
        inputs = self.preprocessor_.transform_checked(table, self.embedder_)
        if self.embedder_ is None:
            vectors = np.zeros((*inputs["image_mask"].shape, self.num_features), dtype="float32")
            for row, view in np.argwhere(inputs["image_mask"]):
                vectors[row, view] = self.embed_photo([inputs["images"][row, view]])
            inputs["images"] = vectors
        return inputs

    @property
    def num_features(self) -> int:
        """Length of a photo's vector."""
        return sum(sum(reader.block_sizes) for reader in self.readers_)

    def read_photo(self, table: pd.DataFrame, view: str) -> list[np.ndarray]:
        """Decode one photo of a row for each of `readers_`, in the size that it reads, as `read_rows` does.

        Args:
            table: one row, which fits the schema.
            view: name of the photo, which the row has.

        Returns:
            uint8 ``(H, W, 3)`` each, RGB.
        """
        images = self.preprocessor_.images_
        if self.embedder_ is None:
            return [images.transform(table)[0][0, images.views_.index(view)]]
        photo = images.list_photos(table)[0][view]
        how: dict[str, Any] = {"resize": images.resize, "max_pixels": images.max_pixels, "remember": False}
        return [load_photo(photo, *reader.size, **how) for reader in self.readers_]

    def embed_photo(self, pixels: Sequence[np.ndarray]) -> np.ndarray:
        """Turn one photo into a vector, float32 ``(num_features,)``.

        Args:
            pixels: the photo for each of `readers_`, uint8 ``(H, W, 3)``, RGB.

        Raises:
            ValueError: there is nothing that reads photos.
        """
        if not self.readers_:
            raise ValueError("this model reads no photos")
        parts = [reader.compute(one[None])[0] for reader, one in zip(self.readers_, pixels, strict=True)]
        return np.concatenate(parts)

    def describe_rows(self, table: pd.DataFrame) -> tuple[Inputs, np.ndarray, np.ndarray]:
        """Read and predict rows, and tell easy ones from hard ones; see `RowRegressor`."""
        inputs = self.read_rows(table)
        return inputs, *self.describe_read(table, inputs)

    @abstractmethod
    def predict_members(self, table: pd.DataFrame, inputs: Inputs) -> np.ndarray:
        """Predict rows by every member of the model.

        Args:
            table: the rows, which fit the schema.
            inputs: the same rows, as `read_rows` reads them.

        Returns:
            float64 ``(n, members)``, on the scale of `target_transformer_`.
        """

    @abstractmethod
    def predict_together(self, table: pd.DataFrame, inputs: Inputs) -> np.ndarray:
        """Predict many rows as `predict_members` does, but quicker: the last bits of a row may depend on the others."""

    @abstractmethod
    def describe_read(self, table: pd.DataFrame, inputs: Inputs) -> tuple[np.ndarray, np.ndarray]:
        """Return the prediction ``(n,)``, on the scale of `target_transformer_`, and what goes with its error."""

    @abstractmethod
    def _read(self, folder: Path) -> None:
        """Read what is this kind's own."""


class SavedNetwork(SavedModel):
    """A network, alone or with members, as ONNX."""

    kind = "network"

    def predict_members(self, table: pd.DataFrame, inputs: Inputs) -> np.ndarray:
        """Predict rows one by one, so that no answer depends on what else is asked; see `SavedModel`."""
        return self._run(inputs, 1)

    def predict_together(self, table: pd.DataFrame, inputs: Inputs) -> np.ndarray:
        """Predict many rows at a time; see `SavedModel`."""
        return self._run(inputs, _NUM_TOGETHER)

    def _run(self, inputs: Inputs, num_together: int) -> np.ndarray:
        names, num_rows = INPUT_NAMES[self.modalities], len(inputs.row_warnings)
        scaled = np.empty((num_rows, self._num_members))
        for start in range(0, num_rows, num_together):
            rows = slice(start, start + num_together)
            scaled[rows] = self._session.run([_PREDICTION], {name: inputs[name][rows] for name in names})[0]
        return scaled

    def describe_read(self, table: pd.DataFrame, inputs: Inputs) -> tuple[np.ndarray, np.ndarray]:
        """Average the members; hard rows are told by the prediction and by the members' spread."""
        return describe_members(self.predict_members(table, inputs), inputs)

    def _read(self, folder: Path) -> None:
        file = folder / NETWORK_FILE
        if not file.exists() or file.stat().st_size > _MOST_NETWORK_BYTES:
            raise ValueError(f"{NETWORK_FILE} is missing or larger than {_MOST_NETWORK_BYTES:,} bytes")
        self._session = OnnxSession(file.read_bytes(), name=NETWORK_FILE, num_threads=1)
        num_views = len(self.preprocessor_.views_)
        self.typical_photos_ = TypicalPhotos.read(
            folder / TYPICAL_FILE, num_views=num_views, num_features=self.num_features
        )
        made = {
            "tabular": [len(self.preprocessor_.get_feature_names_out())],
            "tabular_mask": [1],
            "images": [num_views, self.num_features],
            "image_mask": [num_views],
        }
        expected = {name: ["n", *made[name]] for name in INPUT_NAMES[self.modalities]}
        found = {one.name: one.shape for one in self._session.inputs}
        if found != expected:
            raise ValueError(
                f"{NETWORK_FILE} and preprocessing.json do not belong together: the network reads {found}, the "
                f"preprocessing makes {expected}"
            )
        outputs = {one.name: one.shape for one in self._session.outputs}
        shape = outputs.get(_PREDICTION, [])
        if len(shape) != 2 or not isinstance(shape[1], int) or not 1 <= shape[1] <= _MOST_MEMBERS:
            raise ValueError(f"{NETWORK_FILE}: expected one number per row and member, got {outputs}")
        self._num_members = shape[1]


class SavedStack(SavedModel):
    """A stack of boosted trees and kernel machines."""

    kind = "stack"

    def predict_members(self, table: pd.DataFrame, inputs: Inputs) -> np.ndarray:
        """Predict rows; a stack is one member."""
        return self.describe_read(table, inputs)[0][:, None]

    def predict_together(self, table: pd.DataFrame, inputs: Inputs) -> np.ndarray:
        """Predict many rows at a time; see `SavedModel`."""
        return self._stack.describe(table, inputs, num_together=_NUM_TOGETHER)[0][:, None]

    def describe_read(self, table: pd.DataFrame, inputs: Inputs) -> tuple[np.ndarray, np.ndarray]:
        """Predict rows; hard ones are told by the prediction, and by how far trees and machines disagree."""
        return self._stack.describe(table, inputs)

    def _read(self, folder: Path) -> None:
        if not self.readers_:
            raise ValueError("a stack reads photos, but nothing that reads them is named")
        machines = KernelMachines.read(
            folder / KERNELS_FILE,
            num_views=len(self.preprocessor_.views_),
            num_features=self.num_features,
            num_columns=len(self.preprocessor_.get_feature_names_out()),
        )
        schema = replace(self.preprocessor_.schema_, target=None)
        trees = BoostedTrees(schema, self.preprocessor_.tabular_, extra=(PHOTOS,)).restore(folder)
        self._stack = StackedPrediction(machines, trees, read_weights(folder / STACK_FILE))


_ENTRY = {"parameters": OBJECT, "photo_readers": OBJECTS}

SAVED_MODELS = {"network": SavedNetwork, "stack": SavedStack}
"""Kind of a bundle -> what reads such."""
