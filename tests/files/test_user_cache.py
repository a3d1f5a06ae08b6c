"""Where the user's cache lies, and how large it may be."""

from __future__ import annotations

from pathlib import Path

import pooch
import pytest

from mixed_data.files.user_cache import cache_bytes, user_cache


def test_the_cache_is_where_the_variable_says_or_the_users_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MIXED_DATA_CACHE", str(tmp_path / "mine"))
    assert user_cache() == tmp_path / "mine"
    monkeypatch.delenv("MIXED_DATA_CACHE")
    assert user_cache() == Path(pooch.os_cache("mixed_data"))


def test_the_limit_must_be_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_bytes() == 10_000_000_000
    monkeypatch.setenv("MIXED_DATA_CACHE_GB", "0.5")
    assert cache_bytes() == 500_000_000
    for written in ("much", "-1", "nan", "inf"):
        monkeypatch.setenv("MIXED_DATA_CACHE_GB", written)
        with pytest.raises(ValueError, match=f"MIXED_DATA_CACHE_GB: expected a number .* got '{written}'"):
            cache_bytes()
