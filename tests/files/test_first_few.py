"""Long lists are cut short, and say so."""

from __future__ import annotations

from mixed_data.files.first_few import first_few, name_some


def test_the_others_are_counted_only_where_there_are_any():
    assert first_few(range(5)) == ["0", "1", "2", "3", "4"]
    assert first_few(iter("abcdefg")) == ["a", "b", "c", "d", "e", "and 2 more"]
    assert first_few("ab", 1) == ["a", "and 1 more"]
    assert (name_some([]), name_some("abcd", 3)) == ("", "a, b, c, and 1 more")
