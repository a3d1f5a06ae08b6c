"""Several networks trained as one: layers whose every member has weights of its own.

A *packed ensemble* of K members costs little more than one network: each of its dense layers is one batched product
instead of K small ones. Inside, tensors have an axis of members after the batch's, ``(n, K, ..., features)``.
"""

from __future__ import annotations

import random
from typing import Any

import keras
from keras import ops

Shape = tuple[int | None, ...]


@keras.saving.register_keras_serializable(package="mixed_data")
class MemberDense(keras.layers.Layer):
    """A dense layer per member: member ``k`` has kernel ``kernel[k]`` and bias ``bias[k]``.

    Each kernel starts as that of a `keras.layers.Dense` of its own would.

    Args:
        units: features of the result.
        activation: as for `keras.layers.Dense`.
        use_bias: whether to add a bias.
        kernel_initializer: of each member's kernel ``(features, units)``.
        bias_initializer: of each member's bias ``(units,)``.
        **kwargs: ``name``, ``dtype``, ``trainable``: as for every Keras layer.

    Shape:
        Input ``(n, K, ..., features)``, output ``(n, K, ..., units)``, in the compute dtype.

    Example:
        >>> layer = MemberDense(4)
        >>> tuple(layer(np.zeros((2, 3, 5))).shape), tuple(layer.kernel.shape)
        ((2, 3, 4), (3, 5, 4))

    Reference:
        Gorishniy, Kotelnikov and Babenko 2024, TabM: Advancing Tabular Deep Learning with Parameter-Efficient
        Ensembling, arXiv:2410.24210 (there "packed ensemble").
    """

    def __init__(
        self,
        units: int,
        *,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if units < 1:
            raise ValueError(f"MemberDense: units must be at least 1, got {units}")
        self.units = units
        self.supports_masking = True
        self.activation = keras.activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)

    def build(self, input_shape: Shape) -> None:
        """Make ``kernel`` ``(K, features, units)`` and ``bias`` ``(K, units)``.

        Raises:
            ValueError: the input has no axis of members, or an unknown number of members or features.
        """
        if len(input_shape) < 3 or input_shape[1] is None or input_shape[-1] is None:
            raise ValueError(
                "MemberDense needs an input of shape (n, members, ..., features), members and features known, got "
                f"{tuple(input_shape)}. Use keras.layers.Dense for a lone network"
            )
        num_members, features = input_shape[1], input_shape[-1]
        self.input_spec = keras.InputSpec(ndim=len(input_shape), axes={1: num_members, -1: features})
        self.kernel = self.add_weight(
            name="kernel", shape=(num_members, features, self.units), initializer=each_member(self.kernel_initializer)
        )
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias", shape=(num_members, self.units), initializer=each_member(self.bias_initializer)
            )

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        """Multiply each member's features by its kernel."""
        inputs = ops.cast(inputs, self.compute_dtype)
        if self.kernel.shape[0] == 1:  # A plain product is faster, and oneDNN in TensorFlow 2.21 crashes on the other.
            outputs = ops.matmul(inputs, self.kernel[0])
        else:
            middle = "abcd"[: len(inputs.shape) - 3]  # Spelled out, since tf2onnx knows no ellipsis.
            outputs = ops.einsum(f"nk{middle}f,kfu->nk{middle}u", inputs, self.kernel)
        if self.use_bias:
            ones = (1,) * (len(outputs.shape) - 3)
            outputs = outputs + ops.reshape(self.bias, (1, self.bias.shape[0], *ones, self.units))
        return self.activation(outputs)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape with ``units`` features."""
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        """Everything needed to make this layer again."""
        return {
            **super().get_config(),
            "units": self.units,
            "activation": keras.activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
        }


def each_member(initializer: keras.initializers.Initializer) -> Any:
    """Make an initializer for ``(K, ...)`` that starts every member as ``initializer`` starts a lone ``(...)``.

    Keras would take the axis of members for the pixels of a convolution and start all kernels too small.
    """

    def initialize(shape: tuple[int, ...], dtype: Any = None) -> Any:
        return ops.stack([lone(shape[1:], dtype=dtype) for lone in _lone_initializers(initializer, shape[0])])

    return initialize


def _lone_initializers(initializer: keras.initializers.Initializer, number: int) -> list[Any]:
    """Give as many initializers; called ``number`` times, one with a fixed seed would start all members alike."""
    seed = getattr(initializer, "seed", None)
    if not isinstance(seed, int):  # Nothing random, or a `keras.random.SeedGenerator`, which moves on at each call.
        return [initializer] * number
    seeds, config = random.Random(seed), initializer.get_config()
    return [initializer.from_config({**config, "seed": seeds.getrandbits(31)}) for _ in range(number)]
