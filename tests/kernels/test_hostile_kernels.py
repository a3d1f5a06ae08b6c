"""Kernel machines from a stranger: what does not fit is refused, and nothing is executed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile_helpers import REFUSED, SECTION, Attack, array_cases, change_arrays, nothing_outside
from reliability import Case, documented

from mixed_data.files import checked_arrays
from mixed_data.kernels import KernelMachines

SIZES = {"num_views": 2, "num_features": 5, "num_columns": 4}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the file of machines on ten rows, with three components."""
    random = np.random.default_rng(0)
    shapes = {"mean": (2, 5), "projection": (2, 5, 3), "scales": (4,), "photos": (10, 6), "columns": (10, 4)}
    arrays: dict[str, Any] = {name: random.normal(size=shape).astype("float32") for name, shape in shapes.items()}
    arrays["has_photo"] = random.random(10) < 0.5
    machines = KernelMachines(**arrays, coefficients=random.normal(size=(10, 4)), intercepts=np.arange(4.0))
    file = tmp_path_factory.mktemp("kernels") / "kernels.npz"
    machines.write(file)
    return file


def cut(name: str, *, axis: int = 0) -> Attack:
    """Take the last of something away."""
    return change_arrays(lambda arrays: arrays.update({name: np.delete(arrays[name], -1, axis=axis)}))


def put(name: str, value: float) -> Attack:
    def change(arrays: dict[str, Any]) -> None:
        arrays[name][-1] = value

    return change_arrays(change)


KERNELS = [
    *array_cases("kernel machines", "intercepts"),
    Case("kernel machines for fewer views", REFUSED, cut("mean"), r"'mean' must be \(2, 5\), got \(1, 5\)"),
    Case("kernel machines for another backbone", REFUSED, cut("mean", axis=1), r"'mean' must be \(2, 5\)"),
    Case("kernel machines with half a projection", REFUSED, cut("projection", axis=1), r"'projection' must be"),
    Case("kernel machines of fewer components", REFUSED, cut("projection", axis=2), r"'photos' must be \(10, 4\)"),
    Case("kernel machines for fewer columns", REFUSED, cut("scales"), r"'scales' must be \(4,\), got \(3,\)"),
    Case("kernel machines with a row less of photos", REFUSED, cut("photos"), r"'photos' must be \(10, 6\)"),
    Case("kernel machines with a row less of columns", REFUSED, cut("columns"), r"'columns' must be \(10, 4\)"),
    Case("kernel machines with a column less", REFUSED, cut("columns", axis=1), r"'columns' must be \(10, 4\)"),
    Case("kernel machines with a row less of masks", REFUSED, cut("has_photo"), r"'photos' must be \(9, 6\)"),
    Case("three kernel machines instead of four", REFUSED, cut("coefficients", axis=1), r"'coefficients' must be"),
    Case("kernel machines without one intercept", REFUSED, cut("intercepts"), r"'intercepts' must be \(4,\)"),
    Case("kernel machines with NaN", REFUSED, put("coefficients", np.nan), "'coefficients' must be finite"),
    Case("kernel machines with an infinite photo", REFUSED, put("photos", np.inf), "'photos' must be finite"),
]


@documented(SECTION, KERNELS)
def test_kernel_machines_of_a_stranger_are_refused(
    case: Case, written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checked_arrays, "MOST_ARRAY_BYTES", 2**24)
    KernelMachines.read(written, **SIZES)
    file = Path(shutil.copy(written, tmp_path / "kernels.npz"))
    case.given(file)
    with nothing_outside(), pytest.raises(ValueError, match=rf"^kernels\.npz: .*{case.expected}"):
        KernelMachines.read(file, **SIZES)
