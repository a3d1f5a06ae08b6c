"""Options that name backbones: one, several, and files; and what a run keeps of the files."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mixed_data.cli import make_parser
from mixed_data.cli.command_inputs import network_options
from mixed_data.runs.run_config import describe_run
from mixed_data.schema import Schema

SCHEMA = Schema(target="price", numeric=["area"])


def read_options(*words: str) -> dict[str, Any]:
    options: argparse.Namespace = make_parser().parse_args(["train", *words])
    return network_options(options, SCHEMA)


def test_names_are_separated_by_commas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_options("--backbone", "MobileNetV2")["backbone"] == "MobileNetV2"
    monkeypatch.chdir(tmp_path)
    Path("b.onnx").touch()
    Path("a.h5").touch()
    several = read_options("--backbone", "VGG16, b.onnx", "--image-weights", "a.h5", "--backbone-scaling", "tf,raw")
    assert several["backbone"] == ["VGG16", "b.onnx"]
    assert (several["image_weights"], several["backbone_scaling"]) == ("a.h5", ["tf", "raw"])
    Path("one, two.onnx").touch()
    assert read_options("--backbone", "one, two.onnx")["backbone"] == "one, two.onnx"


def test_the_mirror_image_is_an_option() -> None:
    assert "flip_average" not in read_options()
    assert read_options("--no-flip-average")["flip_average"] is False


def test_a_run_whose_network_file_was_changed_is_another_run(tmp_path: Path) -> None:
    table, file = pd.DataFrame({"area": [1.0], "price": [2.0]}), tmp_path / "eye.onnx"
    found = []
    for content in (b"one", b"two"):
        file.write_bytes(content)
        for option in ("backbone", "image_weights"):
            settings = {option: ["MobileNetV2", str(file)]}
            found.append(describe_run(table, SCHEMA, main="table", settings=settings)["settings"][f"file {file}"])
    assert found[0] == found[1] != found[2] == found[3]
