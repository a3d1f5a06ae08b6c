"""What Keras does with a finished model, with fusion layers in it: quantize, LoRA, copies, export.

Also run by ``make backends`` under JAX and PyTorch; exporting is TensorFlow's.
"""

from __future__ import annotations

import gc
import json
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from fusion_helpers import (
    Arrays,
    alone_or_members,
    compile_model,
    every_fusion,
    make_inputs,
    make_layer,
    make_model,
    run,
    train,
)
from reliability import Case, documented

from mixed_data.fusion import FUSIONS, Fusion, WeightedSum

only_tensorflow = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow writes this format")


def make_fused(name: str, **arguments: Any) -> tuple[keras.Model, Fusion, Arrays]:
    """Give a model of a fusion and a head, its fusion layer, and inputs."""
    keras.utils.set_random_seed(0)
    arrays = make_inputs(name, members=arguments.get("members"))
    layer = make_layer(name, arrays, **arguments)
    return make_model(layer, arrays, head=True), layer, arrays


def dense_layers(fusion: Fusion) -> list[keras.layers.Dense]:
    return [layer for layer in fusion._flatten_layers() if isinstance(layer, keras.layers.Dense)]


def quantize(model: keras.Model, mode: str) -> list[str]:
    """Quantize, and return what Keras warned of; it would collect garbage once for each variable that it replaces."""
    with warnings.catch_warnings(record=True) as caught, pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("always")
        patch.setattr(gc, "collect", lambda: 0)
        model.quantize(mode)
    return [str(warning.message) for warning in caught]


def save_and_load(model: keras.Model, folder: Path) -> keras.Model:
    model.save(folder / "model.keras")
    return keras.saving.load_model(folder / "model.keras")


def clone(model: keras.Model) -> keras.Model:
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy


def from_json(model: keras.Model) -> keras.Model:
    copy = keras.models.model_from_json(model.to_json())
    copy.set_weights(model.get_weights())
    return copy


QUANTIZED = [
    Case(f"{FUSIONS[name].__name__}(units=6) after quantize('{mode}')", "saved and loaded", (name, mode), error)
    for mode, error, names in (("int8", 0.05, FUSIONS), ("float8", 0.2, ["film"]), ("int4", 0.5, ["gated"]))
    for name in names
]


@documented("Fusion layers", QUANTIZED)
def test_a_quantized_fusion_is_saved_and_loaded(case: Case, tmp_path: Path) -> None:
    name, mode = case.given
    model, layer, arrays = make_fused(name, units=6)
    exact = run(model, arrays)
    quantize(model, mode)
    assert {dense.quantization_mode for dense in dense_layers(layer)} == {mode}
    expected = run(model, arrays)
    assert np.abs(expected - exact).max() < case.expected * np.abs(exact).max()
    for _ in range(2):  # The second time from what was loaded.
        model = save_and_load(model, tmp_path)
        np.testing.assert_allclose(run(model, arrays), expected, rtol=1e-6, atol=1e-6)
    config = model.get_layer("merge").get_config()
    assert type(layer).from_config(json.loads(json.dumps(config))).get_config() == config


def test_a_quantized_fusion_is_loaded_under_another_name_and_inside_another_model(tmp_path: Path) -> None:
    model, layer, arrays = make_fused("weighted_sum", units=6)
    quantize(model, "int8")
    other = WeightedSum.from_config({**layer.get_config(), "name": "other"})
    inner = make_model(other, arrays)
    other.set_weights(layer.get_weights())
    inputs = [keras.Input(array.shape[1:]) for array in arrays]
    nested = keras.Model(inputs, inner(inputs))
    np.testing.assert_array_equal(run(save_and_load(nested, tmp_path), arrays), run(layer, arrays))


def test_quantize_says_that_members_stay_as_they_are(tmp_path: Path) -> None:
    model, _, arrays = make_fused("gated", units=6, members=4)
    exact = run(keras.Model(model.inputs, model.get_layer("merge").output), arrays)
    assert "Layer MemberDense does not have a `quantize` method implemented." in quantize(model, "int8")
    loaded = save_and_load(model, tmp_path)
    np.testing.assert_array_equal(run(loaded, arrays), run(model, arrays))
    np.testing.assert_array_equal(run(keras.Model(loaded.inputs, loaded.get_layer("merge").output), arrays), exact)


@every_fusion
def test_lora_trains_and_survives_saving_and_cloning(name: str, tmp_path: Path) -> None:
    model, layer, arrays = make_fused(name, units=6)
    for dense in dense_layers(layer):
        dense.enable_lora(2)
    kernels = [keras.ops.convert_to_numpy(dense._kernel) for dense in dense_layers(layer)]
    before = run(model, arrays)
    compile_model(model, keras.optimizers.SGD(0.1), eager=True)
    train(model, arrays, 10 + arrays[0][:, :1], steps=2)
    for dense, kernel in zip(dense_layers(layer), kernels, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(dense._kernel), kernel)
        assert np.abs(keras.ops.convert_to_numpy(dense.lora_kernel_b)).max() > 0
    expected = run(model, arrays)
    assert np.abs(expected - before).max() > 1e-3
    np.testing.assert_array_equal(run(clone(model), arrays), expected)
    np.testing.assert_allclose(run(save_and_load(model, tmp_path), arrays), expected, rtol=1e-5, atol=1e-5)


@every_fusion
@alone_or_members
@pytest.mark.parametrize("copy", [clone, from_json, lambda model: pickle.loads(pickle.dumps(model))])  # noqa: S301
def test_a_copy_gives_the_same_answer(
    name: str, members: int | None, copy: Callable[[keras.Model], keras.Model]
) -> None:
    model, _, arrays = make_fused(name, units=6, normalize=True, members=members)
    np.testing.assert_array_equal(run(copy(model), arrays), run(model, arrays))


@only_tensorflow
def test_a_saved_model_and_litert_give_the_same_answers(tmp_path: Path) -> None:
    """Of all fusions, alone and with members, side by side, because a conversion takes seconds."""
    import tensorflow as tf

    made = {
        f"{name}_{members}": make_fused(name, units=6, normalize=True, members=members)
        for name in FUSIONS
        for members in (None, 4)
    }
    expected = {name: run(model, arrays) for name, (model, _, arrays) in made.items()}
    inputs = {name: [keras.Input(array.shape[1:], dtype=array.dtype) for array in made[name][2]] for name in made}
    outputs = {name: model(inputs[name]) for name, (model, _, _) in made.items()}
    arrays = [array for _, _, of_one in made.values() for array in of_one]
    keras.Model([one for of_one in inputs.values() for one in of_one], outputs).export(str(tmp_path), verbose=False)
    loaded = tf.saved_model.load(str(tmp_path))
    saved = loaded.serve(arrays)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow wants another package for the interpreter.
        interpreter = tf.lite.Interpreter(
            model_content=tf.lite.TFLiteConverter.from_saved_model(str(tmp_path)).convert()
        )
    runner = interpreter.get_signature_runner()
    names = sorted(runner.get_input_details(), key=lambda name: int(name.rpartition("_")[2]))  # args_0, args_0_1, ...
    lite = runner(**dict(zip(names, arrays, strict=True)))
    assert set(saved) == set(lite) == set(made)
    for name, answer in expected.items():
        np.testing.assert_allclose(saved[name], answer, rtol=1e-5, atol=1e-5, err_msg=name)
        np.testing.assert_allclose(lite[name], answer, rtol=1e-4, atol=1e-4, err_msg=name)
