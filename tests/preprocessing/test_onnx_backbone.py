"""ONNX files as what reads photos: vectors by hand, and files that cannot be used."""

from __future__ import annotations

import os
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto
from onnx_helpers import NUM_PATCHES, PREFIX, SETTINGS, SIDE, WIDTH, draw_pixels, make_onnx, see
from PIL import Image
from reliability import Case, documented

from mixed_data.preprocessing.onnx_backbone import OnnxBackbone
from mixed_data.preprocessing.photo_vectors import PhotoEmbedder
from mixed_data.preprocessing.pixel_conventions import PIXEL_SCALINGS, count_prefix_tokens

CHANNELS_LAST = ("n", SIDE, SIDE, 3)


def make_backbone(kind: str = "map", *, settings: dict[str, Any] | None = None, **graph: Any) -> OnnxBackbone:
    return OnnxBackbone(make_onnx(kind, **graph), **{**SETTINGS, **(settings or {})})


def signed_root(values: np.ndarray) -> np.ndarray:
    return np.sign(values) * np.sqrt(np.abs(values))


def unit(photos: np.ndarray) -> np.ndarray:
    return photos.astype("float64") / 255


def assert_close(found: np.ndarray, expected: np.ndarray) -> None:
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


# Vectors


@pytest.mark.parametrize(("kind", "shape"), [("map", ("n", 3, SIDE, SIDE)), ("channels_last", CHANNELS_LAST)])
def test_a_map_becomes_the_signed_root_of_its_mean_in_either_layout(kind: str, shape: tuple[Any, ...]) -> None:
    backbone = make_backbone(kind, shape=shape)
    assert backbone.block_sizes == (WIDTH,)
    assert_close(backbone.compute(draw_pixels()), signed_root(see(unit(draw_pixels())).mean(axis=1)))


@pytest.mark.parametrize("num_prefix", [0, 1, 5])
def test_tokens_become_the_class_token_and_the_mean_of_the_patches(num_prefix: int) -> None:
    backbone = make_backbone("tokens", num_prefix=num_prefix)
    patches = see(unit(draw_pixels())).mean(axis=1)
    if num_prefix == 0:
        assert backbone.block_sizes == (WIDTH,)
        assert_close(backbone.compute(draw_pixels()), patches)
        return
    assert backbone.block_sizes == (WIDTH, WIDTH)
    assert_close(backbone.compute(draw_pixels()), np.hstack([np.repeat(PREFIX[:, 0], 16, axis=0), patches]))


def test_a_vector_stays_as_it_is() -> None:
    assert_close(make_backbone("vector").compute(draw_pixels()), see(unit(draw_pixels())).max(axis=1))


@pytest.mark.parametrize("scaling", PIXEL_SCALINGS)
def test_pixels_are_scaled_as_asked(scaling: str) -> None:
    photos = draw_pixels() / 255.0
    mean, deviation = {
        "raw": (0, 1 / 255),
        "unit": (0, 1),
        "tf": (0.5, 0.5),
        "torch": ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        "clip": ([0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]),
    }[scaling]
    expected = see((photos - mean) / deviation).max(axis=1)
    found = make_backbone("vector", settings={"scaling": scaling}).compute(draw_pixels())
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)


def test_photo_and_mirror_image_are_averaged_before_the_root() -> None:
    photos = draw_pixels()
    both = [see(unit(side)).mean(axis=1) for side in (photos, photos[:, :, ::-1])]
    backbone = make_backbone(settings={"flip_average": True})
    assert_close(backbone.compute(photos), signed_root(np.mean(both, axis=0)))
    assert_close(backbone.compute(photos[:, :, ::-1]), backbone.compute(photos))


def test_the_tokens_are_preferred_to_other_outputs_and_the_first_output_to_the_rest() -> None:
    expected = see(unit(draw_pixels())).max(axis=1)
    for outputs, factor in ((("other", "last_hidden_state"), 1), (("other", "seen"), 2), (("seen", "other"), 1)):
        assert_close(make_backbone("vector", outputs=outputs).compute(draw_pixels()), factor * expected)


@pytest.mark.parametrize("num_photos", [1, 3, 16])
def test_a_fixed_batch_of_any_size_gives_the_same(num_photos: int) -> None:
    fixed = make_backbone("vector", shape=(num_photos, 3, SIDE, SIDE))
    assert_close(fixed.compute(draw_pixels()), make_backbone("vector").compute(draw_pixels()))


def test_the_size_of_the_graph_counts_before_the_one_asked_for() -> None:
    assert make_backbone(settings={"size": (99, 99)}).size == (SIDE, SIDE)
    free = {"shape": ("n", "num_channels", "height", "width")}
    backbone = make_backbone(settings={"size": (8, 12)}, **free)
    assert backbone.size == (8, 12)
    assert backbone.compute(draw_pixels()[:, :8, :12]).shape == (16, WIDTH)


def test_a_photo_file_has_the_same_bits_alone_and_among_others(tmp_path: Path) -> None:
    paths = []
    for number, pixels in enumerate(draw_pixels(19, side=20)):
        paths.append(str(tmp_path / f"{number}.png"))
        Image.fromarray(pixels).save(paths[-1])
    embedder = PhotoEmbedder((make_backbone(),), cached=False)
    together = embedder.embed(paths, resize="stretch", max_pixels=10_000)
    alone = embedder.embed(paths[17:18], resize="stretch", max_pixels=10_000)
    assert alone[paths[17]].tobytes() == together[paths[17]].tobytes()


# The number of tokens


@pytest.mark.parametrize(
    ("num_tokens", "size", "expected"),
    [
        (197, (224, 224), 1),  # ViT
        (196, (224, 224), 0),  # SigLIP
        (729, (384, 384), 0),  # SigLIP so400m, 27 x 27 patches of 14 pixels
        (257, (224, 224), 1),  # DINOv2
        (261, (224, 224), 5),  # DINOv2 with registers
        (50, (224, 224), 1),  # CLIP, patches of 32
        (1 + 12 * 16, (168, 224), 1),
    ],
)
def test_tokens_before_the_patches_are_counted(num_tokens: int, size: tuple[int, int], expected: int) -> None:
    assert count_prefix_tokens(num_tokens, size) == expected


def test_tokens_that_are_no_grid_are_refused() -> None:
    with pytest.raises(ValueError, match="120 tokens are no grid of patches of 16 x 16 pixels"):
        count_prefix_tokens(120, (16, 16))


# Digests, processes


def test_a_digest_changes_with_everything_that_is_computed() -> None:
    others = [{"scaling": "tf"}, {"flip_average": True}]
    backbones = [make_backbone(), make_backbone("vector"), *(make_backbone(settings=other) for other in others)]
    free = {"shape": ("n", 3, "height", "width")}
    backbones += [make_backbone(settings={"size": size}, **free) for size in ((16, 16), (32, 32))]
    assert len({backbone.digest for backbone in backbones}) == len(backbones)
    assert make_backbone(settings={"name": "other.onnx"}).digest == make_backbone().digest


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    backbone = make_backbone(settings={"flip_average": True, "scaling": "clip"})
    backbone.write(tmp_path / "eye.onnx")
    again = OnnxBackbone.read(tmp_path / "eye.onnx", **{**backbone.settings, "size": tuple(backbone.settings["size"])})
    assert again.digest == backbone.digest
    np.testing.assert_array_equal(again.compute(draw_pixels()), backbone.compute(draw_pixels()))


def test_another_process_starts_a_session_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = make_backbone()
    expected = backbone.compute(draw_pixels())
    copy = pickle.loads(pickle.dumps(backbone))  # noqa: S301 - as joblib does with its own
    np.testing.assert_array_equal(copy.compute(draw_pixels()), expected)
    session = backbone._session._session
    assert backbone._session._session is session
    monkeypatch.setattr(os, "getpid", lambda: -1)  # as after a fork
    assert backbone._session._session is not session


# Files that cannot be used


def external(location: str) -> TensorProto:
    tensor = TensorProto(name="one", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=location)
    return tensor


HOSTILE = [
    Case("an ONNX file whose weights stand in a second file", "refused", {"tensors": [external("weights.bin")]}),
    Case("an ONNX file whose weights stand in a file elsewhere", "refused", {"tensors": [external("/etc/hostname")]}),
    Case("an ONNX file with two inputs", "refused", {"inputs": ("pixel_values", "input_ids")}, "one input, .* got 2"),
    Case("an ONNX file with photos of three axes", "refused", {"kind": "pixels", "shape": ("n", SIDE, 3)}, "of 4 axes"),
    Case(
        "an ONNX file that reads numbers of another kind",
        "refused",
        {"tensor_type": TensorProto.DOUBLE},
        "tensor.float.",
    ),
    Case("an ONNX file without an axis of colours", "refused", {"shape": ("n", "a", SIDE, SIDE)}, "number of channels"),
    Case("an ONNX file whose output has the photos elsewhere", "refused", {"kind": "batch_last"}, "1 photos, got"),
    Case("an ONNX file that computes no numbers", "refused", {"kind": "nan"}, "finite numbers"),
]


@documented("Networks that read photos", HOSTILE)
def test_a_file_that_cannot_be_used_is_refused(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights.bin").write_bytes(b"\0" * 4)
    with pytest.raises(ValueError, match=case.expected or "onnxruntime can run by itself, all in one file") as caught:
        make_backbone(**case.given)
    assert str(caught.value).startswith("eye.onnx")


def test_what_is_no_onnx_file_is_refused(tmp_path: Path) -> None:
    for content in (b"", b"no network", make_onnx()[:300]):
        with pytest.raises(ValueError, match=r"eye\.onnx is no ONNX network"):
            OnnxBackbone(content, **SETTINGS)
    with pytest.raises(ValueError, match="expected a scaling of raw, unit, tf, torch, clip, got 'imagenet'"):
        make_backbone(settings={"scaling": "imagenet"})


def test_a_size_that_the_network_does_not_read_is_refused_with_the_remedy() -> None:
    with pytest.raises(ValueError, match=r"cannot read photos of 2 x 2 pixels; give the size .* \(image_size\)"):
        make_backbone(settings={"size": (2, 2)}, shape=("n", 3, "height", "width"))


def test_a_file_beyond_what_onnx_can_hold_is_not_read(tmp_path: Path) -> None:
    with open(tmp_path / "hole.onnx", "wb") as file:
        file.truncate(2**31)
    with pytest.raises(ValueError, match=r"hole\.onnx has 2,147,483,648 bytes, more than"):
        OnnxBackbone.read(tmp_path / "hole.onnx", scaling="raw", size=(8, 8), flip_average=True)


def test_without_onnxruntime_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(
        ValueError, match=r"reading eye\.onnx needs onnxruntime; type: pip install 'mixed_data\[runtime\]'"
    ):
        make_backbone()


def test_patches_of_the_made_up_network_are_a_grid() -> None:
    assert NUM_PATCHES == 16
