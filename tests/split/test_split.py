"""No group on both sides, every row exactly once, and errors that say what is missing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import KFold

from mixed_data.split import hold_out, k_fold

group_lists = st.lists(st.integers(0, 12), min_size=2, max_size=60).filter(lambda ids: len(set(ids)) >= 2)
seeds = st.integers(0, 2**32 - 1)


def assert_splits_the_rows(groups: np.ndarray, train: np.ndarray, test: np.ndarray) -> None:
    assert train.dtype == test.dtype == np.int64
    assert len(train) > 0
    assert len(test) > 0
    assert np.all(np.diff(train) > 0)
    assert np.all(np.diff(test) > 0)
    assert sorted([*train, *test]) == list(range(len(groups)))
    assert not set(groups[train]) & set(groups[test])


@given(group_lists, seeds, st.sampled_from([0.1, 0.25, 0.5]))
def test_a_hold_out_split_uses_every_row_once_and_keeps_groups_together(ids, seed, test_size):
    groups = np.array(ids)
    train, test = hold_out(groups, test_size=test_size, random_state=seed)
    assert_splits_the_rows(groups, train, test)
    assert len(set(groups[test])) == np.ceil(test_size * len(set(ids)))


@given(group_lists, seeds, st.data())
def test_every_row_is_held_out_by_exactly_one_fold_and_groups_stay_together(ids, seed, data):
    groups = np.array(ids)
    folds = data.draw(st.integers(2, len(set(ids))))
    splits = k_fold(groups, folds, random_state=seed)
    assert len(splits) == folds
    for train, test in splits:
        assert_splits_the_rows(groups, train, test)
    assert sorted(np.concatenate([test for _, test in splits])) == list(range(len(groups)))
    sizes = [len(set(groups[test])) for _, test in splits]
    assert max(sizes) - min(sizes) <= 1


@given(group_lists, seeds)
def test_a_split_depends_on_which_rows_belong_together_not_on_the_names_of_the_groups(ids, seed):
    names = [f"house {99 - group}" for group in ids]
    for named, numbered in zip(k_fold(names, 2, random_state=seed), k_fold(ids, 2, random_state=seed), strict=True):
        np.testing.assert_array_equal(named[1], numbered[1])


def test_a_seed_repeats_its_split_and_another_seed_gives_another():
    groups = np.arange(100)
    splits = [hold_out(groups, random_state=seed)[1].tolist() for seed in (0, 0, 1)]
    assert splits[0] == splits[1] != splits[2]
    folds = [[test.tolist() for _, test in k_fold(groups, 5, random_state=seed)] for seed in (0, 0, 1)]
    assert folds[0] == folds[1] != folds[2]


def test_rows_without_company_are_split_as_by_an_ordinary_shuffled_k_fold():
    ordinary = KFold(5, shuffle=True, random_state=3).split(np.zeros(33))
    for (train, test), (_, expected) in zip(k_fold(range(33), 5, random_state=3), ordinary, strict=True):
        np.testing.assert_array_equal(test, np.sort(expected))
        np.testing.assert_array_equal(train, np.setdiff1d(range(33), expected))


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (
            lambda: k_fold([0, 0, 1, 1, 2], 5),
            "5 folds needs at least 5 groups, but the 5 rows form 3.*find_links",
        ),
        (lambda: k_fold([0, 1], 1), "folds must be at least 2, got 1; use hold_out"),
        (lambda: hold_out([7, 7, 7]), "a hold-out split needs at least 2 groups, but the 3 rows form 1"),
        (lambda: hold_out([]), "the 0 rows form 0"),
        (lambda: hold_out([0, 1, 2, 3], test_size=1), "above 0 and below 1.*got 1"),
        (lambda: hold_out([0, 1, 2, 3], test_size=0.0), "got 0.0"),
        (lambda: hold_out([0, 1, 2, 3], test_size=0.9), "leaves some of the 4 groups for training, got 0.9"),
        (lambda: hold_out([0, np.nan, 1]), "1 of 3 have none"),
        (lambda: hold_out([[0], [1]]), r"one group per row, got \(2, 1\)"),
    ],
)
def test_an_impossible_split_is_an_error_that_says_why(split, message):
    with pytest.raises(ValueError, match=message):
        split()
