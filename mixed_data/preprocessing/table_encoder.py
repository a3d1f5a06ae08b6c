"""The columns of a table become one float32 matrix; what it learns, it learns in `fit` and nowhere else."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from numbers import Integral
from typing import Any, Self

import numpy as np
import pandas as pd

from mixed_data.files.checked_json import (
    FLAG,
    INTEGER,
    INTEGERS,
    OBJECT,
    OBJECTS,
    TEXT,
    TEXTS,
    check_fields,
    check_state,
    make_plain,
    optional,
)
from mixed_data.files.learned import Learned
from mixed_data.preprocessing.categorical_column import CategoricalColumn
from mixed_data.preprocessing.column_ratios import LogRatio, check_ratios, learn_ratios
from mixed_data.preprocessing.feature_columns import (
    FeatureColumn,
    column_from_state,
    kind_of,
    learn_column,
    read_features,
)
from mixed_data.schema import Schema, learn_formats

logger = logging.getLogger(__name__)

_FORMAT = "mixed_data.TabularPreprocessor"
_VERSION = 4
_LOGS = ("auto", "never")


class TableEncoder(Learned):
    """Turn numeric columns, categories and codes into numbers that suit a network and a linear model alike.

    Every cell is encoded by itself, with what was learned from the training rows only:

    - numeric: median imputation, with a missing indicator where training cells were missing; a logarithm for
      positive, skewed columns (the rule stands at `NumericColumn.learn`); minus the median, divided by the
      interquartile range; a smooth clip to -3..3, so that no outlier can run away with the prediction;
    - ratios: the logarithm of each positive numeric column over each other, area per bedroom, as long as there are
      at most five such columns;
    - categorical: one-hot levels; those of fewer than `min_frequency` rows share the level "other", which
      therefore is trained and also takes what was never seen; a level for missing cells if there were any;
    - dates: the year, the day of the year and the days before the latest training date, each as a number;
    - codes: the same, plus levels of their first characters, so that a zipcode with a single house still
      tells its region.

    Constant and empty columns are dropped. Everything dropped or merged is listed in `report_` and logged.

    Args:
        schema: which column plays which role; columns are matched by name, and others are ignored. Without one, every
            column is numeric, and a NumPy array will do.
        log: "auto" or "never".
        ratios: whether to add ratios; without a schema there are none.
        min_frequency: levels of fewer training rows are merged into "other". With 1, every level of the training rows
            has a feature, and an unseen level is none of them.
        code_prefixes: lengths of the leading parts of codes that get levels of their own.

    Attributes:
        schema_: the schema, with what was learned about how numbers and dates are written; None without one.
        columns_: what was learned, one entry per column that was kept.
        ratios_: what was learned about ratios.
        report_: one line for each column or level that was dropped or merged, or put on a logarithmic scale; one that
            lists the ratios.
        n_features_in_: how many columns are read.
        feature_names_in_: their names.

    Example:
        >>> table = pd.DataFrame({"area": [1200, 2400, None, 900], "zipcode": [85255, 85255, 85331, 92880]})
        >>> schema = Schema(numeric=["area"], codes=["zipcode"])
        >>> preprocessor = TableEncoder(schema, min_frequency=2, code_prefixes=[2]).fit(table)
        >>> preprocessor.get_feature_names_out().tolist()[1:]
        ['area=<missing>', 'zipcode=85255', 'zipcode=<other>', 'zipcode[:2]=85', 'zipcode[:2]=<other>']
        >>> new = pd.DataFrame({"area": [1200], "zipcode": ["85299"]})
        >>> features, row_warnings = preprocessor.transform_with_warnings(new)
        >>> features.tolist()
        [[0.0, 0.0, 0.0, 1.0, 1.0, 0.0]]
        >>> row_warnings
        [["zipcode is '85299', not seen in training: read as 'other', but zipcode[:2]=85 is known"]]
    """

    def __init__(
        self,
        schema: Schema | None = None,
        *,
        log: str = "auto",
        ratios: bool = True,
        min_frequency: int = 1,
        code_prefixes: Sequence[int] = (3, 2),
    ) -> None:
        self.schema = schema
        self.log = log
        self.ratios = ratios
        self.min_frequency = min_frequency
        self.code_prefixes = code_prefixes

    def fit(self, table: pd.DataFrame, y: object = None) -> Self:
        """Learn from the training rows, forgetting what was learned before.

        Args:
            table: the training rows, (n, columns); n at least 1.
            y: ignored; there by scikit-learn's convention.

        Raises:
            ValueError: a setting is none of its choices, a column is missing, there are no rows, or a numeric cell is
                present but not a number (the first five are named).
        """
        self._check_settings()
        if not len(self._select(table, reset=True)):
            raise ValueError("expected at least one training row, got a table with 0 rows")
        self.schema_ = None if self.schema is None else learn_formats(self.schema, table)
        self.columns_: list[FeatureColumn] = []
        self.report_: list[str] = []
        cells_of, _ = self.read(table)
        settings: dict[str, Any] = {name: getattr(self, name) for name in ("log", "min_frequency", "code_prefixes")}
        for name, cells in cells_of.items():
            column, notes = learn_column(name, cells, self.schema_, **settings)
            self.columns_ += [column] if column else []
            self.report_ += notes
        self.ratios_ = learn_ratios({name: cells_of[name] for name in self._ratio_columns()})
        if self.ratios_:
            self.report_.append(f"ratios: {', '.join(ratio.name for ratio in self.ratios_)}")
        for line in self.report_:
            logger.info(line)
        return self

    def transform(self, table: pd.DataFrame) -> np.ndarray:
        """Encode each row by itself.

        Args:
            table: any rows, (n, columns).

        Returns:
            float32 (n, d), without units; no NaN. Columns as `get_feature_names_out` says.

        Raises:
            ValueError: a column is missing, or a numeric cell is present but not a number.
        """
        return self.transform_with_warnings(table)[0]

    def transform_with_warnings(self, table: pd.DataFrame) -> tuple[np.ndarray, list[list[str]]]:
        """Encode each row as `transform` does, and say what was doubtful in it.

        Returns:
            the features, float32 (n, d); and for each row the warnings on missing, unseen and outlying cells.
        """
        return self.encode(*self.read(table))

    def read(self, table: pd.DataFrame) -> tuple[dict[str, Any], int]:
        """Read the cells of all columns once, for `encode`.

        Returns:
            per column, as from `read_features`; and n.

        Raises:
            ValueError: a column is missing, or a number or date is present but none.
        """
        self.check_fitted()
        table = self._select(table, reset=False)
        return read_features(table, self.schema_), len(table)

    def encode(self, cells: Mapping[str, Any], num_rows: int) -> tuple[np.ndarray, list[list[str]]]:
        """Encode cells that `read` gave, and say what was doubtful, as `transform_with_warnings` does."""
        features = [np.zeros((num_rows, 0), dtype=np.float32)]
        row_warnings: list[list[str]] = [[]] * num_rows  # a list for each row in order would take 80 bytes
        for column in self.columns_:
            features.append(column.encode(cells[column.name]))
            for row, warning in column.find_warnings(cells[column.name]):
                row_warnings[row] = [*row_warnings[row], warning]
        features += [ratio.encode(cells) for ratio in self.ratios_]
        return np.hstack(features), row_warnings

    def with_schema(self, schema: Schema | None) -> TableEncoder:
        """Return an unfitted one with the same settings."""
        return TableEncoder(schema, **self.settings)

    @property
    def settings(self) -> dict[str, Any]:
        """The arguments beside the schema."""
        return {name: getattr(self, name) for name in _SETTINGS}

    @property
    def level_columns_(self) -> list[CategoricalColumn]:
        """The categories and codes that were kept."""
        return [column for column in self.columns_ if isinstance(column, CategoricalColumn)]

    def count_levels(self, cells: Mapping[str, Any], num_rows: int) -> np.ndarray:
        """Return in how many training rows each row's levels stood, int64 (n, categories and codes that were kept)."""
        counts = [column.count(cells[column.name]) for column in self.level_columns_]
        return np.column_stack([np.zeros((num_rows, 0), dtype=np.int64), *counts])

    def get_feature_names_out(self, input_features: Sequence[str] | None = None) -> np.ndarray:
        """Name the features, for example "area", "area=<missing>", "zipcode=85255", "zipcode[:3]=852".

        Args:
            input_features: the names of the columns; needed only to rename those of a NumPy array.

        Returns:
            array of text, (d,).

        Raises:
            ValueError: the names given are not the ones of `fit`.
        """
        self.check_fitted()
        names = self._input_names()
        given = names if input_features is None else list(input_features)
        if hasattr(self, "feature_names_in_") and given != names:
            raise ValueError(f"input_features is not equal to feature_names_in_: {given} instead of {names}")
        if len(given) != len(names):
            raise ValueError(f"input_features should have length equal to {len(names)}, got {len(given)}")
        titles = dict(zip(names, given, strict=True))
        named = [replace(column, name=titles[column.name]).feature_names() for column in self.columns_]
        return np.array([*chain(*named), *(ratio.name for ratio in self.ratios_)], dtype=object)

    def get_state(self) -> dict[str, Any]:
        """Return the settings and all that was learned as a JSON-able dict."""
        self.check_fitted()
        settings = {name: getattr(self, name) for name in _SETTINGS}
        return {
            "format": _FORMAT,
            "version": _VERSION,
            "schema": None if self.schema_ is None else self.schema_.to_dict(),
            "settings": make_plain({**settings, "code_prefixes": list(self.code_prefixes)}),
            "inputs": self._input_names(),
            "inputs_are_named": hasattr(self, "feature_names_in_"),
            "columns": [column.get_state() for column in self.columns_],
            "ratios": [ratio.get_state() for ratio in self.ratios_],
            "report": list(self.report_),
        }

    @classmethod
    def from_state(cls, state: Any) -> Self:
        """Rebuild the fitted preprocessor of `get_state`; nothing in the state is executed.

        Raises:
            ValueError: the state has another format or version, or a field is missing or contradicts another.
        """
        state = check_state(state, _FORMAT, _VERSION, _FIELDS)
        settings = check_fields(state["settings"], f"{_FORMAT} settings", _SETTINGS)
        schema = None if state["schema"] is None else Schema.from_dict(state["schema"])
        preprocessor = cls(schema, **{**settings, "code_prefixes": tuple(settings["code_prefixes"])})
        preprocessor.schema_ = schema
        preprocessor._check_settings()
        preprocessor.n_features_in_ = len(state["inputs"])
        if state["inputs_are_named"]:
            preprocessor.feature_names_in_ = np.array(state["inputs"], dtype=object)
        preprocessor.columns_ = [column_from_state(column) for column in state["columns"]]
        preprocessor.ratios_ = [LogRatio.from_state(ratio) for ratio in state["ratios"]]
        preprocessor.report_ = list(state["report"])
        preprocessor._check_learned(state["inputs"])
        return preprocessor

    def _check_settings(self) -> None:
        problems = []
        if self.log not in _LOGS:
            problems.append(f"log must be one of {_LOGS}, got {self.log!r}")
        if not isinstance(self.ratios, bool | np.bool_):
            problems.append(f"ratios must be True or False, got {self.ratios!r}")
        if not _is_positive_integer(self.min_frequency):
            problems.append(f"min_frequency must be 1 or more, got {self.min_frequency!r}")
        prefixes = list(self.code_prefixes)
        if not all(map(_is_positive_integer, prefixes)) or len(set(prefixes)) < len(prefixes):
            problems.append(f"code_prefixes must be different lengths of 1 or more, got {self.code_prefixes!r}")
        if problems:
            raise ValueError(f"{type(self).__name__}: {'; '.join(problems)}")

    def _check_learned(self, names: list[str]) -> None:
        """Check that a loaded state agrees with itself."""
        if self.schema is not None and not hasattr(self, "feature_names_in_"):
            raise ValueError(f"{_FORMAT} state: the inputs of a schema must be named")
        expected = list(self.schema.features) if self.schema else self._input_names()
        if names != expected or len(set(names)) < len(names):
            raise ValueError(f"{_FORMAT} state: expected the inputs {expected}, each once, got {names}")
        learned = [column.name for column in self.columns_]
        if learned != [name for name in names if name in learned]:
            raise ValueError(f"{_FORMAT} state: expected columns in the order {names}, got {learned}")
        for column in self.columns_:
            if not isinstance(column, kind_of(column.name, self.schema)):
                raise ValueError(f"{_FORMAT} state: column {column.name!r} has another role in the schema")
        check_ratios(self.ratios_, self._ratio_columns())

    def _check_numbers(self, table: Any, *, reset: bool) -> Any:
        """Check a table of numbers that comes without a schema, which only scikit-learn's own transformers meet."""
        raise ValueError(
            f"a table of numbers without a schema is read by TabularPreprocessor, not {type(self).__name__}"
        )

    def _ratio_columns(self) -> tuple[str, ...]:
        return self.schema.numeric if self.ratios and self.schema is not None else ()

    def _input_names(self) -> list[str]:
        names = getattr(self, "feature_names_in_", None)
        return [f"x{position}" for position in range(self.n_features_in_)] if names is None else names.tolist()

    def _select(self, table: Any, *, reset: bool) -> pd.DataFrame:
        """Return the columns to read, under the names to use for them."""
        if self.schema is None:
            checked = self._check_numbers(table, reset=reset)
            return pd.DataFrame(checked).set_axis(self._input_names(), axis="columns")
        if not isinstance(table, pd.DataFrame):
            raise ValueError(f"expected a pandas DataFrame with named columns, got {type(table).__name__}")
        features = list(self.schema.features)
        found = Counter(table.columns)
        problems = [f"column {name!r} is missing" for name in features if not found[name]]
        problems += [f"column {name!r} is there {found[name]} times" for name in features if found[name] > 1]
        if problems:
            raise ValueError(f"the table does not fit the schema: {'; '.join(problems)}")
        if reset:
            self.feature_names_in_ = np.array(features, dtype=object)
            self.n_features_in_ = len(features)
        return table[features]


_SETTINGS = {"log": TEXT, "ratios": FLAG, "min_frequency": INTEGER, "code_prefixes": INTEGERS}
_FIELDS = {
    "schema": optional(OBJECT),
    "settings": OBJECT,
    "inputs": TEXTS,
    "inputs_are_named": FLAG,
    "columns": OBJECTS,
    "ratios": OBJECTS,
    "report": TEXTS,
}


def _is_positive_integer(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) > 0
