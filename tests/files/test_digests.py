"""A digest says what a file holds, whatever its name."""

from __future__ import annotations

import hashlib

import pytest

from mixed_data.files.digests import digest_file


def test_the_digest_is_the_sha256_of_the_content(tmp_path):
    content = bytes(range(256)) * 5_000
    (tmp_path / "one").write_bytes(content)
    (tmp_path / "two").write_bytes(content)
    assert digest_file(tmp_path / "one") == digest_file(str(tmp_path / "two")) == hashlib.sha256(content).hexdigest()
    with pytest.raises(FileNotFoundError):
        digest_file(tmp_path / "three")
