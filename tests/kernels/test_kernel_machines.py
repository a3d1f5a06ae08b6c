"""Kernel machines on vectors of photos and columns: by hand, held out, and where something is missing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge
from sklearn.svm import SVR

from mixed_data.kernels import KernelMachines, kernel_machines
from mixed_data.kernels.kernel_machines import MACHINES, _make_kernels
from mixed_data.preprocessing import Inputs
from mixed_data.split import k_fold

NUM_ROWS, WIDTH, NUM_VIEWS = 60, 6, 2
Learned = tuple[KernelMachines, dict[str, np.ndarray]]


def make_rows(num_rows: int = NUM_ROWS, *, seed: int = 0, num_views: int = NUM_VIEWS, lack: bool = True) -> Inputs:
    """Make rows with two numbers and two levels; of some a photo, all photos or all cells are missing."""
    random = np.random.default_rng(seed)
    columns = np.column_stack([random.normal(size=(num_rows, 2)), random.integers(0, 2, (num_rows, 2))])
    mask = np.ones((num_rows, num_views), dtype=bool)
    cells = np.ones((num_rows, 1), dtype=bool)
    if lack:
        mask = random.random((num_rows, num_views)) < 0.8
        mask[::9] = False
        mask[3::9] = True
        cells[4::9] = False
        mask[4::9] = True
    vectors = random.normal(size=(num_rows, num_views, WIDTH)) * [5, 4, 3, 2, 1, 1]
    return Inputs(
        {
            "tabular": np.where(cells, columns, 0).astype("float32"),
            "tabular_mask": cells,
            "level_counts": np.zeros((num_rows, 0), dtype=np.int64),
            "images": (vectors * mask[..., None]).astype("float32"),
            "image_mask": mask,
        },
        [[]] * num_rows,
    )


def make_target(rows: Inputs) -> np.ndarray:
    """What the first column and the second view say."""
    target = rows["tabular"][:, 0] + 0.4 * rows["images"][:, -1, 0].astype("float64")
    return (target - target.mean()) / target.std()


def learn(rows: Inputs, target: np.ndarray | None = None, groups: np.ndarray | None = None, **options: Any) -> Learned:
    target = make_target(rows) if target is None else target
    groups = np.arange(len(target)) // 2 if groups is None else groups
    splits = k_fold(groups, min(3, len(np.unique(groups))), random_state=0)
    return KernelMachines.learn(
        rows, target, groups=groups, splits=splits, blocks=[4, 2], **{"random_state": 0, **options}
    )


@pytest.fixture(scope="module")
def learned() -> Learned:
    return learn(make_rows())


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    monkeypatch.setattr(kernel_machines, "MOST_ROWS", 30)
    monkeypatch.setattr(kernel_machines, "_MOST_ROWS_FOR_TUNING", 20)
    return monkeypatch


# Predictions


def place(machines: KernelMachines, rows: Inputs, row: int) -> tuple[list[np.ndarray], np.ndarray, bool]:
    views = []
    for view in range(NUM_VIEWS):
        vector = rows["images"][row, view] - machines.mean[view]
        views.append(vector @ machines.projection[view] * rows["image_mask"][row, view])
    return views, rows["tabular"][row] * machines.scales, bool(rows["image_mask"][row].any())


def test_predictions_are_sums_of_kernels_that_are_computed_by_hand(learned: Learned) -> None:
    machines, training_rows, new = learned[0], make_rows(), make_rows(12, seed=1)
    found = machines.predict(new)
    assert list(found) == list(MACHINES)
    for row in range(12):
        views, columns, has_photo = place(machines, new, row)
        expected = machines.intercepts.copy()
        for other in range(NUM_ROWS):
            of_views, of_columns, has = place(machines, training_rows, other)
            photos = np.exp(-sum(np.sum((a - b) ** 2) for a, b in zip(views, of_views, strict=True)))
            table = np.exp(-np.sum((columns - of_columns) ** 2))
            mixed = table * (1 + 0.3 * photos * (has_photo and has)) / 1.3
            expected += np.array([photos, mixed, table, table]) * machines.coefficients[other]
        np.testing.assert_allclose([found[name][row] for name in MACHINES], expected, rtol=1e-4, atol=1e-5)


def test_a_row_is_predicted_alike_whatever_comes_with_it(learned: Learned) -> None:
    new = make_rows(20, seed=1)
    together = learned[0].predict(new)
    for name in MACHINES:
        assert len(np.unique(together[name])) > 10
        for rows in ([0], [13], [7, 3], list(range(19, -1, -1))):
            np.testing.assert_array_equal(learned[0].predict(new.take(rows))[name], together[name][rows])
    assert learned[0].predict(new.take([]))["photos"].shape == (0,)


def test_what_is_missing_is_not_read(learned: Learned) -> None:
    new = make_rows(20, seed=1)
    changed = Inputs({**new, "images": np.where(new["image_mask"][..., None], new["images"], 99)}, new.row_warnings)
    for name, expected in learned[0].predict(new).items():
        np.testing.assert_array_equal(learned[0].predict(changed)[name], expected)


def test_each_machine_learns_from_the_rows_that_have_what_it_reads(learned: Learned) -> None:
    rows = make_rows()
    photo, cell = rows["image_mask"].any(axis=1), rows["tabular_mask"][:, 0]
    for name, may in (("photos", photo), ("mixed", cell), ("table", cell), ("imputed", cell & photo)):
        used = learned[0].coefficients[:, MACHINES.index(name)] != 0
        assert not np.any(used & ~may), name
        assert np.mean(used[may]) > 0.6, name


def test_what_the_photos_and_the_columns_tell_is_learned() -> None:
    rows = make_rows(300, lack=False)
    target = make_target(rows)
    _, held_out = learn(rows, target)
    errors = {name: np.mean((target - found) ** 2) for name, found in held_out.items()}
    assert errors["photos"] < 0.9
    assert errors["mixed"] < errors["table"] < 0.9
    assert errors["imputed"] > 0.5  # columns know nothing of these photos
    told = Inputs(
        {**rows, "tabular": np.column_stack([rows["images"][:, 1, 0], rows["tabular"]]).astype("f4")}, [[]] * 300
    )
    _, held_out = learn(told, target)
    assert np.corrcoef(held_out["imputed"], held_out["photos"])[0, 1] > 0.7


def test_the_view_that_tells_more_counts_more() -> None:
    rows = make_rows(200, lack=False)
    machines, _ = learn(rows)
    placed = machines.photos.reshape(200, NUM_VIEWS, -1).astype("float64")
    sizes = np.mean(np.sum(placed**2, axis=2), axis=0)
    assert sizes[1] > 100 * sizes[0]
    np.testing.assert_allclose(sizes.sum(), 0.5, rtol=1e-4)
    alike, _ = learn(Inputs({**rows, "images": np.repeat(rows["images"][:, 1:], 2, axis=1)}, [[]] * 200))
    sizes = np.mean(np.sum(alike.photos.reshape(200, NUM_VIEWS, -1).astype("float64") ** 2, axis=2), axis=0)
    np.testing.assert_allclose(sizes, [0.25, 0.25], rtol=1e-4)


def test_numbers_and_levels_are_brought_to_one_scale_each_and_constant_columns_count_nothing() -> None:
    rows = make_rows(lack=False)
    columns = np.column_stack([rows["tabular"] * [1, 1000, 1, 1], np.full(NUM_ROWS, 7), np.zeros(NUM_ROWS)])
    machines, _ = learn(Inputs({**rows, "tabular": columns.astype("float32")}, rows.row_warnings))
    for chosen, width in (([0, 1], 0.07), ([2, 3], 0.5)):
        part = machines.columns[:, chosen].astype("float64")
        distances = np.sum((part[:, None] - part) ** 2, axis=2)
        np.testing.assert_allclose(distances.mean(), width, rtol=1e-4)
    assert len(np.unique(machines.scales[:2])) == 1  # numbers keep their own variances
    assert machines.scales[4:].tolist() == [0, 0]
    new = make_rows(9, seed=1)
    as_before, changed = (
        machines.predict(Inputs({**new, "tabular": given.astype("float32")}, new.row_warnings))["mixed"]
        for given in (columns[:9], columns[:9] + [0, 0, 0, 0, 100, 1])
    )
    np.testing.assert_array_equal(changed, as_before)


# Held-out predictions


def refit(machines: KernelMachines, name: str, training_rows: np.ndarray, target: np.ndarray, asked: np.ndarray) -> Any:
    """Fit one machine anew to some of the rows it keeps, and predict others of them."""
    training = machines._training_rows()
    kernels = _make_kernels(training, training)
    kernel = kernels["table" if name == "imputed" else name]
    machine = SVR(kernel="precomputed", C=3.0, epsilon=0.05)
    if name in ("photos", "imputed"):
        machine = KernelRidge(alpha=0.1, kernel="precomputed")
    machine.fit(kernel[np.ix_(training_rows, training_rows)], target[training_rows])
    return machine.predict(kernel[np.ix_(asked, training_rows)])


def test_each_row_is_predicted_by_machines_that_have_not_seen_its_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_machines, "choose_penalty", lambda *arguments: 0.1)
    rows, groups = make_rows(), np.random.default_rng(2).permutation(np.arange(NUM_ROWS) // 3)
    target = make_target(rows)
    machines, held_out = learn(rows, target, groups)
    photo, cell = rows["image_mask"].any(axis=1), rows["tabular_mask"][:, 0]
    may = {"photos": photo, "mixed": cell, "table": cell, "imputed": cell & photo}
    splits = {name: k_fold(groups, 3, random_state=0) for name in ("mixed", "table")}
    by_group = [(np.flatnonzero(groups != name), np.flatnonzero(groups == name)) for name in np.unique(groups)]
    for name in MACHINES:
        truth = held_out["photos"] if name == "imputed" else target
        for others, asked in splits.get(name, by_group):
            assert not set(groups[others]) & set(groups[asked])
            expected = refit(machines, name, others[may[name][others]], truth, asked)
            np.testing.assert_allclose(held_out[name][asked], expected, atol=1e-8, err_msg=name)
        assert np.any(~may[name] & np.isin(groups, groups[may[name]])), "rows that others of their group might tell of"


def test_rows_that_are_not_kept_are_predicted_by_those_that_are(small: pytest.MonkeyPatch) -> None:
    rows, groups = make_rows(), np.random.default_rng(2).permutation(np.arange(NUM_ROWS) // 4)
    machines, held_out = learn(rows, groups=groups)
    kept = find_kept(machines, rows)
    assert len(kept) == 28
    assert not set(groups[kept]) & set(np.delete(groups, kept))
    predicted = machines.predict(rows)
    for name in MACHINES:
        others = np.delete(np.arange(NUM_ROWS), kept)
        np.testing.assert_array_equal(held_out[name][others], predicted[name][others])
        assert np.all(held_out[name][kept] != predicted[name][kept])
    again = find_kept(learn(rows, groups=groups, random_state=1)[0], rows)
    assert again.tolist() != kept.tolist()


def test_as_many_groups_are_kept_as_there_is_room_for() -> None:
    groups = np.random.default_rng(0).permutation(np.arange(60) // 3)
    for seed in range(5):
        kept = kernel_machines._draw(groups, 30, seed)
        assert len(np.unique(kept)) == 30
        assert not set(groups[kept]) & set(np.delete(groups, kept))
    np.testing.assert_array_equal(kernel_machines._draw(groups, 60, 0), np.arange(60))


def find_kept(machines: KernelMachines, rows: Inputs) -> np.ndarray:
    columns = rows["tabular"] * machines.scales
    found = [np.flatnonzero((columns == each).all(axis=1)) for each in machines.columns]
    cells = rows["tabular_mask"][:, 0]
    photos = kernel_machines._place(rows, machines.mean, machines.projection, machines.scales)[0]
    close = [np.abs(photos[some] - own).max(axis=1).argmin() for some, own in zip(found, machines.photos, strict=True)]
    assert cells.any()
    return np.array([some[place] for some, place in zip(found, close, strict=True)])


@pytest.mark.parametrize("seed", range(4))
def test_a_group_too_large_to_be_kept_leaves_room_for_the_others(small: pytest.MonkeyPatch, seed: int) -> None:
    rows = make_rows(lack=False)
    groups = np.where(np.arange(NUM_ROWS) < 35, 0, np.arange(NUM_ROWS))
    machines, _ = learn(rows, groups=groups, random_state=seed)
    assert find_kept(machines, rows).tolist() == list(range(35, NUM_ROWS))


def test_of_groups_that_are_all_too_large_one_is_kept_in_part_and_not_asked_of_its_own_rows(
    small: pytest.MonkeyPatch,
) -> None:
    rows = make_rows(80, lack=False)
    groups = np.arange(80) // 40
    machines, held_out = learn(rows, groups=groups)
    kept = find_kept(machines, rows)
    assert len(kept) == 30
    (own,) = np.unique(groups[kept])
    for name in MACHINES:
        np.testing.assert_allclose(held_out[name][groups == own], 0.0, atol=1e-12)
        np.testing.assert_array_equal(held_out[name][groups != own], machines.predict(rows)[name][groups != own])


# Where there is little to learn from


@pytest.mark.parametrize(
    "change",
    [
        {"image_mask": np.zeros((NUM_ROWS, NUM_VIEWS), bool), "images": np.zeros((NUM_ROWS, NUM_VIEWS, WIDTH), "f4")},
        {"tabular_mask": np.zeros((NUM_ROWS, 1), bool), "tabular": np.zeros((NUM_ROWS, 4), "f4")},
        {"tabular": np.ones((NUM_ROWS, 4), "f4")},
        {"images": np.ones((NUM_ROWS, NUM_VIEWS, WIDTH), "f4")},
        {"tabular": np.full((NUM_ROWS, 4), 1e6, "f4"), "images": np.full((NUM_ROWS, NUM_VIEWS, WIDTH), 1e6, "f4")},
    ],
    ids=["no photos", "no cells", "one row of cells", "one photo", "nothing differs"],
)
def test_without_what_a_machine_reads_it_knows_nothing_but_the_mean(change: dict[str, np.ndarray]) -> None:
    rows = make_rows()
    target = make_target(rows)
    machines, held_out = learn(Inputs({**rows, **change}, rows.row_warnings), target)
    for found in (held_out, machines.predict(make_rows(9, seed=1))):
        assert all(np.isfinite(predictions).all() for predictions in found.values())
    name = "photos" if "images" in change else "table"
    assert np.ptp(held_out[name]) < 1


@pytest.mark.parametrize("num_rows", [2, 3, 4, 7])
@pytest.mark.parametrize("lack", [False, True])
def test_few_rows_are_enough(num_rows: int, lack: bool) -> None:
    rows = make_rows(num_rows, lack=lack)
    machines, held_out = learn(rows, make_target(rows), np.arange(num_rows))
    for found in (held_out, machines.predict(make_rows(9, seed=1))):
        assert all(np.isfinite(predictions).all() for predictions in found.values())


def test_a_constant_target_is_predicted() -> None:
    rows = make_rows()
    machines, held_out = learn(rows, np.zeros(NUM_ROWS))
    for found in (held_out, machines.predict(make_rows(9, seed=1))):
        assert all(not predictions.any() for predictions in found.values())


@pytest.mark.parametrize("num_views", [1, 3])
def test_any_number_of_views_may_be_there(num_views: int) -> None:
    machines, _ = learn(make_rows(num_views=num_views))
    assert machines.mean.shape == (num_views, WIDTH)
    assert np.ptp(machines.predict(make_rows(9, seed=1, num_views=num_views))["photos"]) > 0


def test_a_view_without_photos_counts_nothing() -> None:
    rows = make_rows(lack=False)
    mask = np.repeat([[False, True]], NUM_ROWS, axis=0)
    empty = Inputs({**rows, "image_mask": mask, "images": rows["images"] * mask[..., None]}, rows.row_warnings)
    one = {"image_mask": mask[:, 1:], "images": rows["images"][:, 1:]}
    found, alone = (
        learn(empty, make_target(rows))[1],
        learn(Inputs({**rows, **one}, rows.row_warnings), make_target(rows))[1],
    )
    np.testing.assert_allclose(found["photos"], alone["photos"], atol=1e-2)


def test_machines_are_read_as_they_were_written(learned: Learned, tmp_path: Path) -> None:
    machines = learned[0]
    machines.write(tmp_path / "kernels.npz")
    again = KernelMachines.read(tmp_path / "kernels.npz", num_views=NUM_VIEWS, num_features=WIDTH, num_columns=4)
    for field in fields(machines):
        written, read = getattr(machines, field.name), getattr(again, field.name)
        assert written.dtype == read.dtype
        np.testing.assert_array_equal(read, written)
    new = make_rows(9, seed=1)
    for name, expected in machines.predict(new).items():
        np.testing.assert_array_equal(again.predict(new)[name], expected)
