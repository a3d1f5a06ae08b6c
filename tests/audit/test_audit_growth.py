"""What an audit finds in large tables, where it looks in other ways: against the plain way, on small ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from audit_helpers import draw, encode, find

from mixed_data.audit import audit_table, lookalikes, outliers
from mixed_data.schema import Schema

NUM_PHOTOS = 600


@pytest.fixture(scope="module")
def hashes() -> np.ndarray:
    """Hashes of photos and their mirror images; a third are copies, mirrored or not, with up to 28 bits changed."""
    random = np.random.default_rng(0)
    made = random.random((NUM_PHOTOS, 2, 256)) < 0.5
    for copy in random.choice(np.arange(1, NUM_PHOTOS), NUM_PHOTOS // 3, replace=False):
        made[copy] = made[random.integers(copy), :: random.choice([-1, 1])]
        made[copy][:, random.choice(256, random.integers(29), replace=False)] ^= True
    return made


def test_every_pair_within_the_distance_is_found_as_by_comparing_all(hashes):
    later, earlier, mirrored = lookalikes._nearest_earlier(hashes)
    distances = (hashes[:, :, None] != hashes[None, None, :, 0]).sum(axis=-1)  # photo, side, other
    expected = []
    for photo in range(1, NUM_PHOTOS):
        before = distances[photo, :, :photo]
        if before.min() <= 24:
            side = int(before[1].min() < before[0].min())
            expected.append((photo, int(before[side].argmin()), bool(side)))
    assert len(expected) > 100
    assert {side for _, _, side in expected} == {False, True}
    assert list(zip(later.tolist(), earlier.tolist(), mirrored.tolist(), strict=True)) == expected


@pytest.mark.parametrize("bit", range(16))
def test_a_pair_no_chunk_of_which_is_equal_is_found(bit):
    first = np.random.default_rng(bit).random((2, 256)) < 0.5
    chunks = lookalikes._draw_bits().reshape(16, 16)
    second = first.copy()
    second[:, [*chunks[:, bit], *chunks[:8, bit - 1]]] ^= True  # one bit in each, a second one in eight: 24 in all
    later, earlier, _ = lookalikes._nearest_earlier(np.stack([first, second]))
    assert (later.tolist(), earlier.tolist()) == ([1], [0])


def test_of_very_many_photos_copies_within_15_bits_are_found_and_most_beyond(hashes, monkeypatch):
    exact = dict(zip(*lookalikes._nearest_earlier(hashes)[:2], strict=True))
    monkeypatch.setattr(lookalikes, "MAX_EXACT", NUM_PHOTOS - 1)
    found = dict(zip(*lookalikes._nearest_earlier(hashes)[:2], strict=True))
    near = [one for one, other in exact.items() if min((hashes[one] != hashes[other, 0]).sum(axis=1)) <= 15]
    assert len(near) > 50
    assert {one: found.get(one) for one in near} == {one: exact[one] for one in near}
    assert len(found) >= 0.97 * len(exact)


def test_pairs_that_are_compared_in_many_steps_are_the_same(hashes, monkeypatch):
    whole = lookalikes._nearest_earlier(hashes)
    monkeypatch.setattr(lookalikes, "_PAIRS_AT_A_TIME", 3)
    for steps, once in zip(lookalikes._nearest_earlier(hashes), whole, strict=True):
        np.testing.assert_array_equal(steps, once)


def test_an_audit_says_where_copies_may_be_missed(homes, monkeypatch):
    homes.write(1, "front", encode(draw(1), quality=40))
    homes.write(0, "front", encode(draw(1)))
    problem, said = "rows with near-identical photos", "photos, copies that differ in 16 to 24 bits of their hashes"
    audit = homes.audit()
    assert said not in " ".join([*audit.not_checked, find(audit, problem).action])
    monkeypatch.setattr(lookalikes, "MAX_EXACT", 55)
    audit = homes.audit()
    assert f"photos that look alike: of more than 55 {said} are found in 99 %" in audit.not_checked
    assert said in find(audit, problem).action


def test_outliers_of_many_rows_are_told_by_models_of_some_and_the_finding_says_so(monkeypatch):
    random = np.random.default_rng(0)
    area = random.uniform(50, 250, 400)
    price = 2000 * area * random.uniform(0.9, 1.1, 400)
    table = pd.DataFrame({"area": area, "rooms": (area / 30).round(), "price": price})
    table.loc[123, "price"] *= 10
    schema = Schema(target="price", numeric=("area", "rooms"))

    problem = "targets far from what the columns say"
    whole = find(audit_table(table, schema), problem)
    assert "drawn" not in whole.action
    monkeypatch.setattr(outliers, "_MAX_LEARNED", 100)
    learned = []
    fit = outliers.RidgeCV.fit
    monkeypatch.setattr(
        outliers.RidgeCV, "fit", lambda self, X, y, *rest: learned.append(len(X)) or fit(self, X, y, *rest)
    )
    drawn = find(audit_table(table, schema), problem)
    assert [case.rows for case in drawn.cases] == [case.rows for case in whole.cases] == [(123,)]
    assert drawn.action == f"{whole.action}; expected from 100 rows drawn at random"
    assert set(learned) == {100}
