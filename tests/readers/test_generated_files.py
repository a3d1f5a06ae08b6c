"""Files of the sample: whole or not there at all."""

from pathlib import Path

import numpy as np
import pytest

from mixed_data.readers.sample import generate_sample, generated_files, read_sample


def test_an_interrupted_generation_leaves_nothing_that_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(generated_files, "_truth", interrupt)
        with pytest.raises(KeyboardInterrupt):
            read_sample(tmp_path, rows=2)
    assert list(tmp_path.iterdir()) == []
    assert len(read_sample(tmp_path, rows=2)[0]) == 2


def test_a_folder_without_its_manifest_is_refused(tmp_path: Path) -> None:
    read_sample(tmp_path, rows=2)
    (manifest,) = tmp_path.rglob("manifest.json")
    manifest.unlink()
    with pytest.raises(ValueError, match="expected a finished sample"):
        read_sample(tmp_path, rows=2)


def test_losing_a_race_against_another_process_is_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write_block = generated_files._write_block

    def write_slowly(*arguments: object) -> None:
        write_block(*arguments)
        with monkeypatch.context() as patched:
            patched.setattr(generated_files, "_write_block", write_block)
            generate_sample(tmp_path / "sample", rows=2)

    monkeypatch.setattr(generated_files, "_write_block", write_slowly)
    generate_sample(tmp_path / "sample", rows=2)
    assert [path.name for path in tmp_path.iterdir()] == ["sample"]


def test_an_existing_folder_is_never_overwritten(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected a new folder"):
        generate_sample(tmp_path, rows=2)


@pytest.mark.parametrize(
    "arguments", [{"rows": 0}, {"rows": 2.5}, {"seed": -1}, {"photo_signal": -0.1}, {"photo_signal": np.nan}]
)
def test_parameters_out_of_range_are_named(arguments: dict, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(arguments))}: expected"):
        read_sample(tmp_path, **arguments)
    assert list(tmp_path.iterdir()) == []
