"""The folder of an export: the model, what it reads and gives, and the preprocessing; whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mixed_data import __version__
from mixed_data.bundle.golden_rows import read_golden_rows
from mixed_data.export.exported_readme import write_readme
from mixed_data.files.checked_json import make_plain, write_json
from mixed_data.files.digests import digest_file
from mixed_data.files.whole_files import name_unwritten
from mixed_data.preprocessing.lost_photos import without_photo_warnings
from mixed_data.runs.claimed_folder import choose_folder
from mixed_data.runtime import Predictor

Exported = tuple[dict[str, Any], Callable[[pd.DataFrame], np.ndarray]]
"""What is said of an export, its ``inputs`` and ``outputs``; and what predicts rows by it, with its own runtime."""

Exporter = Callable[[Predictor, Path, Path], Exported]
"""Writes a bundle, given by its predictor and its folder, into a folder."""

LARGEST_DIFFERENCE = 1e-5
"""Between a prediction of the bundle and of its export, relative to the largest golden prediction."""

DESCRIPTION_FILE, README_FILE = "export.json", "README.md"


def write_folder(bundle: Path, name: str, export: Exporter, out: Path) -> dict[str, Any]:
    """Write what `mixed_data.export.export_bundle` promises.

    Args:
        bundle: its folder.
        name: of the format.
        export: what writes it.
        out: folder to write.
    """
    out = choose_folder(out, "export")
    predictor = Predictor(bundle)
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        described, predict = export(predictor, bundle, temporary)
        files = sorted(file.relative_to(temporary).as_posix() for file in temporary.rglob("*") if file.is_file())
        description = {
            "format": "mixed_data.export",
            "version": 1,
            "form": name,
            "mixed_data": __version__,
            "bundle_created": predictor.manifest["created"],
            "bundle_digest": digest_file(bundle / "manifest.json"),
            **described,
            "largest_difference": _compare(predictor, bundle, predict),
            "num_files": len(files),
        }
        write_json(temporary / DESCRIPTION_FILE, make_plain(description))
        (temporary / README_FILE).write_text(write_readme(description), "utf-8")
        os.chmod(temporary, 0o755)  # mkdtemp makes a folder that only its owner can read
        if out.exists():
            out.rmdir()
        os.replace(temporary, out)
    except OSError as error:
        raise name_unwritten(out, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return description


def _compare(predictor: Predictor, bundle: Path, predict: Callable[[pd.DataFrame], np.ndarray]) -> float:
    """Return the largest difference of a golden prediction, relative to the largest one.

    Raises:
        ValueError: it is more than `LARGEST_DIFFERENCE`.
    """
    golden = read_golden_rows(bundle / "golden", predictor.schema)
    with without_photo_warnings():
        expected, found = predictor.predict(golden), predict(golden)
    difference = float(np.max(np.abs(found - expected)) / np.max(np.abs(expected)))
    if not difference <= LARGEST_DIFFERENCE:
        raise ValueError(
            f"the export predicts the golden rows differently, by {difference:.1e} of the largest: expected "
            f"{expected.tolist()}, got {found.tolist()}; please report this with the versions of your libraries"
        )
    return difference
