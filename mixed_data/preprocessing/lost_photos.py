"""Photos that a table names and that cannot be used: which they are, counted by reason, and said once."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pandas as pd

from mixed_data.files.first_few import name_some
from mixed_data.preprocessing.photo_decoding import check_photo
from mixed_data.preprocessing.photo_problems import PhotoError
from mixed_data.schema.photo_paths import show_path, split_paths, split_photos

_MAX_THREADS = 8
_NONE_NAMED = "no cell of {!r} names a photo"
_REMEDY = (
    "correct the paths or the folder that they start from (--root), leave the column out of the images (--images), or "
    "go on without these photos (--allow-missing-photos)"
)


class LostPhoto(str):
    """The warning of a row about a photo that cannot be used: a text that also knows what it is counted by.

    Attributes:
        column: that names the photo.
        kind: of the reason, see `PhotoError`.
        photo: the path, of a long one the beginning and the end, and the reason.
    """

    column: str
    kind: str
    photo: str

    @classmethod
    def of(cls, view: str, column: str, path: str | bytes, error: PhotoError) -> LostPhoto:
        """Write the warning.

        Args:
            view: the photo's name in its row.
            column: that names the photo.
            path: of the photo, or its content.
            error: why it cannot be used.
        """
        photo = f"{show_path(path)}: {error}"
        lost = cls(f"{view}: {photo}")
        lost.column, lost.kind, lost.photo = column, error.kind, photo
        return lost


class PhotoWarning(UserWarning):
    """Photos that a table names cannot be used."""


class MissingPhotosError(ValueError):
    """Not one photo of an image column can be used."""


def find_lost_photos(table: pd.DataFrame, columns: Sequence[str]) -> list[LostPhoto]:
    """Find the photos that cannot be used, as far as file and header tell; nothing is decoded.

    Args:
        table: the rows.
        columns: that hold paths.

    Returns:
        one warning per photo, column by column.
    """
    named = [(column, path) for column in columns for cell in table[column] for path in split_paths(cell)]
    paths = list(dict.fromkeys(path for _, path in named))
    with warnings.catch_warnings(), ThreadPoolExecutor(min(_MAX_THREADS, os.cpu_count() or 1)) as pool:
        warnings.filterwarnings("ignore", module=r"PIL\.")  # they name no row
        errors = dict(zip(paths, pool.map(_find_error, paths), strict=True))
    return [LostPhoto.of(column, column, path, error) for column, path in named if (error := errors[path])]


def check_photos(table: pd.DataFrame, columns: Sequence[str], *, allow_missing_photos: bool = False) -> list[str]:
    """Say which photos cannot be used, before hours of training on those that can, or on none.

    Args:
        table: the rows, which fit the schema.
        columns: that hold paths.
        allow_missing_photos: whether a column may have not one photo that can be used.

    Returns:
        one sentence per column that has photos which cannot be used.

    Raises:
        MissingPhotosError: not one photo of a column can be used.
    """
    lost = find_lost_photos(table, columns)
    num_lost = Counter(photo.column for photo in lost)
    sentences = dict(zip(num_lost, describe_lost_photos(lost, table), strict=True))
    problems = [
        sentences.get(column, _NONE_NAMED.format(column))
        for column in columns
        if num_lost[column] == _count_photos(table[column])
    ]
    if problems and not allow_missing_photos:
        raise MissingPhotosError(f"{'; '.join(problems)}; {_REMEDY}")
    return list(sentences.values())


def warn_of_lost_photos(
    row_warnings: Iterable[Iterable[str]], table: pd.DataFrame, needed: Sequence[str] = (), *, depth: int = 2
) -> None:
    """Warn a caller's caller where photos cannot be used: one sentence per column; empty cells are no reason.

    Args:
        row_warnings: of each row, see `Inputs`.
        table: the rows.
        needed: columns of which not every cell may be empty.
        depth: how many callers up the one stands whose line the warning names.
    """
    lost = [warning for row in row_warnings for warning in row if isinstance(warning, LostPhoto)]
    sentences = describe_lost_photos(lost, table)
    sentences += [_NONE_NAMED.format(column) for column in needed if not any(map(split_photos, table[column]))]
    if sentences:
        warnings.warn("; ".join(sentences), PhotoWarning, stacklevel=depth + 1)


@contextmanager
def without_photo_warnings() -> Iterator[None]:
    """Keep `warn_of_lost_photos` quiet, where the same photos were or will be spoken of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PhotoWarning)
        yield


def describe_lost_photos(lost: Sequence[LostPhoto], table: pd.DataFrame) -> list[str]:
    """Write one sentence per column: how many photos cannot be used, for which reasons, and which is the first."""
    return [
        _describe([photo for photo in lost if photo.column == column], column, table[column])
        for column in dict.fromkeys(photo.column for photo in lost)
    ]


def _describe(lost: Sequence[LostPhoto], column: str, cells: pd.Series) -> str:
    num_photos = _count_photos(cells)
    kinds = Counter(photo.kind for photo in lost).most_common()
    start = ""
    if len(lost) == num_photos and lost[0].kind == "no such file" and not os.path.isabs(lost[0].photo):
        start = f" (relative paths start from the working folder, {os.getcwd()})"
    return (
        f"{len(lost):,} of {num_photos:,} photos of {column!r} cannot be used: "
        f"{name_some(f'{count:,} {kind}' for kind, count in kinds)}; the first: {lost[0].photo}{start}"
    )


def _count_photos(cells: pd.Series) -> int:
    return sum(len(split_photos(cell)) for cell in cells)


def _find_error(path: str) -> PhotoError | None:
    try:
        check_photo(path)
    except PhotoError as error:
        return error
    return None
