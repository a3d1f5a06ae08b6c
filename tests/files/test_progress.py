"""How far long work has come: said by loops, heard by whoever listens."""

from __future__ import annotations

import pytest

from mixed_data.files.progress import listening, track


def test_a_loop_says_what_is_done_after_each_item_and_yields_all():
    heard = []
    with listening(lambda *said: heard.append(said)):
        seen = [(item, len(heard)) for item in track(iter("abc"), "reading", 3)]
    assert heard == [("reading", 0, 3), ("reading", 1, 3), ("reading", 2, 3), ("reading", 3, 3)]
    assert seen == [("a", 1), ("b", 2), ("c", 3)]


def test_nothing_is_said_of_no_work_and_to_nobody():
    heard = []
    with listening(lambda *said: heard.append(said)):
        assert list(track([], "reading", 0)) == []
    assert list(track("ab", "reading", 2)) == ["a", "b"]
    assert heard == []


def test_nobody_listens_any_more_after_an_error():
    heard = []
    with pytest.raises(ValueError, match="stop"), listening(lambda *said: heard.append(said)):
        raise ValueError("stop")
    assert list(track("a", "reading", 1)) == ["a"]
    assert heard == []
