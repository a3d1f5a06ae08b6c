"""Table and photos together: one object that turns rows of a DataFrame into the arrays a model reads."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd

from mixed_data.files.checked_json import OBJECT, check_state, read_json, write_json
from mixed_data.files.learned import Learned
from mixed_data.preprocessing.photo_decoding import MAX_PIXELS
from mixed_data.preprocessing.photo_reader import PhotoReader
from mixed_data.preprocessing.photo_vectors import PhotoEmbedder
from mixed_data.preprocessing.stored_photos import take_rows
from mixed_data.preprocessing.table_encoder import TableEncoder
from mixed_data.schema import Schema, learn_formats
from mixed_data.schema.pandas_frames import to_pandas

_FORMAT = "mixed_data.MixedDataPreprocessor"
_VERSION = 1

_MOST_MEGABYTES_PER_ROW = 64  # seven photos of 1,750 x 1,750 pixels

SUITED_PREPROCESSING: dict[str, dict[str, Any]] = {"pretrained": {"image_size": 320, "resize": "stretch"}}
"""Image branch -> settings that suit it, where they are not the defaults: a pretrained network wants more pixels, and
the borders of a photo too."""


Rows = np.ndarray | slice
"""Positions of rows."""


class Inputs(dict[str, np.ndarray]):
    """What a model reads: a dict of arrays, with what was doubtful about each row beside it.

    - "tabular": float32 (n, d), see `MixedDataPreprocessor.get_feature_names_out`;
    - "tabular_mask": bool (n, 1), False where not one cell of the row's features is there;
    - "level_counts": int64 (n, L), in how many training rows the row's level of each category and code stood;
    - "images": uint8 (n, V, H, W, 3), RGB, 0 to 255, or with an embedder float32 (n, V, D); zeros where there is no
      photo;
    - "image_mask": bool (n, V), False where a photo is missing or unreadable.

    Photos of more than 32 MB that are files stay on disk: "images" is then `StoredPhotos`, which reads rows when they
    are indexed, and all of them in `numpy.asarray`.

    All five are always there: without photos V is 0, without features d is 0. Keras knows plain dicts only, and wants
    `dict(inputs)`.

    Args:
        arrays: the five arrays.
        row_warnings: for each row, what was doubtful in it; empty lists for rows in order, which may be one list.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray], row_warnings: Sequence[list[str]] = ()) -> None:
        super().__init__(arrays)
        self.row_warnings: list[list[str]] = list(row_warnings)

    def take(self, rows: np.ndarray | Sequence[int] | slice) -> Inputs:
        """Return some of the rows.

        Args:
            rows: their positions, a bool per row, or a slice.
        """
        positions = np.arange(len(self.row_warnings))[rows]
        arrays = {name: take_rows(array, positions) for name, array in self.items()}
        return Inputs(arrays, [self.row_warnings[position] for position in positions])


def spread_evenly(rows: np.ndarray, most: int) -> np.ndarray:
    """Return some of very many rows, spread evenly over them, and all of fewer.

    Args:
        rows: their positions, ``(n,)``.
        most: how many, at most.
    """
    return rows[np.linspace(0, len(rows) - 1, min(len(rows), most)).astype(int)]


class RowReader(Learned):
    """Learn from training rows how to read a table with photos, and read any rows that way ever after.

    A scikit-learn transformer that knows nothing of Keras: its arrays feed any model. A row's result depends on that
    row and on what `fit` learned, never on the other rows of the call, so a large table may be read part by part.
    Missing cells and photos are imputed or masked, never replaced by another row's, and each is listed in
    `Inputs.row_warnings`.

    In a scikit-learn pipeline in front of a regressor that wants a matrix, use `TabularPreprocessor(schema)`.

    Args:
        schema: which column plays which role (`Schema.infer(table)` guesses).
        image_size: pixels of each photo: a number for a square, or (height, width).
        resize: "crop", "pad" or "stretch"; see `ImagePreprocessor`.
        montage: put the photos of a row into one; see `ImagePreprocessor`.
        log: "auto" or "never"; see `TabularPreprocessor`, also for the rest.
        ratios: whether to add ratios of numeric columns.
        min_frequency: levels of fewer training rows are merged into "other".
        code_prefixes: lengths of the leading parts of codes that get levels of their own.

    Attributes:
        tabular_: the fitted `TabularPreprocessor`; its `report_` lists what was dropped or merged.
        images_: the fitted `ImagePreprocessor`; its `views_` names the V views, in the order of the arrays.
        n_features_in_: how many columns are read.
        feature_names_in_: their names.

    Example:
        >>> from sklearn.linear_model import Ridge
        >>> table = pd.DataFrame({"area": [900, 1500, 2100], "price": [1.0, 2.0, 3.0]})
        >>> preprocessor = RowReader(Schema(target="price", numeric=["area"]))
        >>> model = Ridge(alpha=1e-6).fit(preprocessor.fit_transform(table)["tabular"], table["price"])
        >>> inputs = preprocessor.transform(pd.DataFrame({"area": ["1500", None]}))
        >>> model.predict(inputs["tabular"]).round(2).tolist(), inputs.row_warnings
        ([2.0, 2.0], [[], ['area is missing: imputed 1500']])
    """

    def __init__(
        self,
        schema: Schema,
        *,
        image_size: int | tuple[int, int] = 64,
        resize: str = "crop",
        montage: bool = False,
        log: str = "auto",
        ratios: bool = True,
        min_frequency: int = 1,
        code_prefixes: Sequence[int] = (3, 2),
    ) -> None:
        self.schema = schema
        self.image_size = image_size
        self.resize = resize
        self.montage = montage
        self.log = log
        self.ratios = ratios
        self.min_frequency = min_frequency
        self.code_prefixes = code_prefixes

    @property
    def schema_(self) -> Schema:
        """The schema, with what was learned about how numbers and dates are written."""
        return self.schema if self.tabular_.schema_ is None else self.tabular_.schema_

    @property
    def views_(self) -> list[str]:
        """The names of the V views, in the order of the arrays."""
        return self.images_.views_

    def fit(self, table: pd.DataFrame, y: object = None) -> Self:
        """Learn from the training rows, forgetting what was learned before.

        Args:
            table: the training rows; the target column is not needed.
            y: ignored; there by scikit-learn's convention.

        Raises:
            ValueError: the table does not fit the schema (all problems are listed), or a setting is out of range.
        """
        table = to_pandas(table)
        schema = learn_formats(self._check_schema(), table)
        schema.validate(table, needs_target=False)
        return self.fit_checked(table)

    def fit_checked(self, table: pd.DataFrame, rows: Rows = slice(None)) -> Self:
        """Learn as `fit` does, from rows that are known to fit the schema.

        Args:
            table: the training rows, perhaps among others.
            rows: their positions. Of photos, which are most of a table, one column is copied at a time.
        """
        tabular = TableEncoder(
            self.schema,
            log=self.log,
            ratios=self.ratios,
            min_frequency=self.min_frequency,
            code_prefixes=self.code_prefixes,
        )
        images = PhotoReader(self.schema.images, size=self.image_size, resize=self.resize, montage=self.montage)
        cells = table.drop(columns=list(self.schema.images)).iloc[rows]
        self._set_parts(tabular.fit(cells), images.fit(table, rows=rows))
        return self

    def transform(self, table: pd.DataFrame, embedder: PhotoEmbedder | None = None) -> Inputs:
        """Read each row by itself.

        Args:
            table: any rows; columns are matched by name, others are ignored.
            embedder: turns each photo into a vector, which then stands in place of its pixels: "images" is float32 (n,
                V, D).

        Returns:
            the arrays, and the warnings of each row.

        Raises:
            ValueError: the table does not fit the schema (all problems are listed).
        """
        self.check_fitted()
        table = to_pandas(table)
        self.schema_.validate(table, needs_target=False)
        return self.transform_checked(table, embedder)

    def transform_checked(self, table: pd.DataFrame, embedder: PhotoEmbedder | None = None) -> Inputs:
        """Read as `transform` does, each cell once, rows that are known to fit the schema."""
        self.check_fitted()
        arrays, tabular_warnings = self.encode_table(table)
        images, image_mask, image_warnings = self.images_.transform(table, embedder)
        row_warnings = [a + b if b else a for a, b in zip(tabular_warnings, image_warnings, strict=True)]
        return Inputs({**arrays, "images": images, "image_mask": image_mask}, row_warnings)

    def encode_table(self, table: pd.DataFrame) -> tuple[dict[str, np.ndarray], list[list[str]]]:
        """Read the columns without the photos of rows that are known to fit the schema.

        Returns:
            "tabular", "tabular_mask" and "level_counts" of `Inputs`, and the warnings of each row.
        """
        return self.encode_cells(*self.tabular_.read(table))

    def encode_cells(self, cells: Mapping[str, Any], num_rows: int) -> tuple[dict[str, np.ndarray], list[list[str]]]:
        """Encode cells that `TableEncoder.read` gave, as `encode_table` does."""
        tabular, row_warnings = self.tabular_.encode(cells, num_rows)
        is_there = [np.zeros(num_rows, dtype=bool), *map(pd.notna, cells.values())]
        arrays = {
            "tabular": tabular,
            "tabular_mask": np.any(is_there, axis=0)[:, None],
            "level_counts": self.tabular_.count_levels(cells, num_rows),
        }
        return arrays, row_warnings

    def get_feature_names_out(self, input_features: Sequence[str] | None = None) -> np.ndarray:
        """Name the columns of "tabular".

        Args:
            input_features: ignored, since columns are matched by name; there by scikit-learn's convention.

        Returns:
            array of text, (d,).
        """
        self.check_fitted()
        return self.tabular_.get_feature_names_out()

    def get_state(self) -> dict[str, Any]:
        """Return the settings and all that was learned as a JSON-able dict."""
        self.check_fitted()
        return {
            "format": _FORMAT,
            "version": _VERSION,
            "tabular": self.tabular_.get_state(),
            "images": self.images_.get_state(),
        }

    @classmethod
    def from_state(cls, state: Any) -> Self:
        """Rebuild the fitted preprocessor of `get_state`; nothing in the state is executed.

        Raises:
            ValueError: the state has another format or version, or a field is missing or contradicts another.
        """
        parts = check_state(state, _FORMAT, _VERSION, {"tabular": OBJECT, "images": OBJECT})
        tabular = TableEncoder.from_state(parts["tabular"])
        images = PhotoReader.from_state(parts["images"])
        if tabular.schema is None or tuple(images.columns) != tabular.schema.images:
            raise ValueError(f"{_FORMAT} state: the schema's image columns must be {list(images.columns)}")
        if images.max_pixels > MAX_PIXELS:  # nobody can set it here, and it guards against photos that are bombs
            raise ValueError(f"{_FORMAT} state: expected max_pixels of at most {MAX_PIXELS}, got {images.max_pixels}")
        settings: dict[str, Any] = {"image_size": images.size, "resize": images.resize, "montage": images.montage}
        preprocessor = cls(tabular.schema, **tabular.settings, **settings)
        preprocessor._set_parts(tabular, images)
        return preprocessor

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the state as a JSON file, whole or not at all."""
        write_json(path, self.get_state())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read the file of `save`.

        Raises:
            ValueError: the file is not JSON, or not such a state.
        """
        return cls.from_state(read_json(path))

    def _set_parts(self, tabular: TableEncoder, images: PhotoReader) -> None:
        height, width = images.get_state()["size"]
        megabytes = len(images.views_) * height * width * 3 // 2**20
        if megabytes > _MOST_MEGABYTES_PER_ROW:
            raise ValueError(
                f"{len(images.views_)} photos of {height} x {width} pixels are {megabytes:,} MB per row, more than "
                f"{_MOST_MEGABYTES_PER_ROW}: choose a smaller image_size, or montage=True"
            )
        self.tabular_ = tabular
        self.images_ = images
        self.feature_names_in_ = np.array([*self.schema.features, *self.schema.images], dtype=object)
        self.n_features_in_ = len(self.feature_names_in_)

    def _check_schema(self) -> Schema:
        if not isinstance(self.schema, Schema):
            got = type(self.schema).__name__
            raise ValueError(f"expected a Schema, got {got}; Schema.infer(table) guesses one")
        return self.schema
