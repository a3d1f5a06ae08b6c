"""What every fusion layer shares: shape checks, projection to one width, and one scale for all branches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from mixed_data.members import MemberDense, Shape

# Large enough to bound the gradient of a row of zeros (a house without photos) at 1,000 times what came.
_RMS_EPSILON = 1e-6


class Fusion(keras.layers.Layer):
    """Merges a list of branches into one tensor; the base class of everything in ``FUSIONS``.

    A subclass writes ``merge``, ``build_merge`` where it has weights of its own, and ``merged_width`` where its
    inputs need not have equal widths. The rest happens here, in this order: inputs are checked, projected to
    ``units`` features (if given), put on one scale (if ``normalize``), and merged. All weights are made in
    ``build``, so the layer gives the same answer each time it is called, and every weight is trained and saved.

    Inputs may be of any dtype, integers and bool too, and of several: all are cast to the compute dtype first. The
    result is masked where all inputs are, as that of `keras.layers.Average`.

    Args:
        units: project every input to this many features first, each with a kernel and a bias of its own.
            ``None`` merges the inputs as they are.
        normalize: divide every branch by the root mean square of its features, row by row, without
            parameters. Afterwards all branches have one scale; what a row's magnitude said is lost.
        members: merge the branches of so many networks at once (`mixed_data.members`): inputs have the shape
            ``(n, members, ..., features)``, and every member has weights of its own. ``None``: one network,
            inputs without that axis.
        **kwargs: ``name``, ``dtype``, ``trainable``: as for every Keras layer.

    Attributes:
        takes_views: whether the inputs are the table, the views and their mask, as in `AttentionPooling`.
        predicts: whether the result is the prediction itself, as in `LateFusion`, so that no head belongs behind it.
        projects: whether ``units`` projects the inputs; a subclass that does so in its own way says no.

    Raises:
        ValueError: if ``units`` or ``members`` is below 1; when built, if there are fewer than two inputs or they
            do not fit together.

    Reference:
        Root mean square normalisation: Zhang and Sennrich (2019), arXiv:1910.07467.
    """

    takes_views: bool = False
    predicts: bool = False
    projects: bool = True

    def __init__(
        self, *, units: int | None = None, normalize: bool = False, members: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        for option, number in (("units", units), ("members", members)):
            if number is not None and number < 1:
                raise ValueError(f"{type(self).__name__}: {option} must be at least 1 or None, got {number}")
        self.units = units
        self.normalize = normalize
        self.members = members
        self.projections: list[keras.layers.Layer] = []
        self._adapted: dict[str, dict[str, Any]] = {}

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Take lists of numbers for arrays as well; Keras would take each number for an input."""
        if isinstance(inputs, list | tuple):
            inputs = [ops.convert_to_tensor(value) if isinstance(value, list | tuple) else value for value in inputs]
        return super().__call__(inputs, *args, **kwargs)

    def merge(self, inputs: list[Any]) -> Any:
        """Merge the projected and normalised inputs.

        Args:
            inputs: two or more tensors in the compute dtype, alike in all axes but possibly the last.

        Returns:
            One tensor in the compute dtype.
        """
        raise NotImplementedError

    def merged_width(self, widths: list[int]) -> int:
        """Says how many features the merged tensor has; elementwise fusions need equal widths.

        Args:
            widths: features of each branch as it reaches ``merge``.

        Returns:
            The number of features after merging.

        Raises:
            ValueError: if these widths cannot be merged.
        """
        if len(set(widths)) > 1:
            raise ValueError(
                f"{type(self).__name__} merges inputs of equal width, got widths {widths}. "
                f"Give units= (for example units={min(widths)}) to project every input to that width"
            )
        return widths[0]

    def build_merge(self, shapes: list[Shape], widths: list[int]) -> None:
        """Make the weights that ``merge`` uses, if it has any.

        Args:
            shapes: one shape per input, as it reaches ``merge``.
            widths: features of each branch as it reaches ``merge``.
        """

    def build(self, input_shape: Sequence[Shape]) -> None:
        """Check the input shapes and make all weights.

        Args:
            input_shape: one shape per input.
        """
        self.compute_output_shape(input_shape)
        shapes = [tuple(shape) for shape in input_shape]
        members_axis = {} if self.members is None else {1: self.members}
        self.input_spec = [keras.InputSpec(ndim=len(shape), axes={**members_axis, -1: shape[-1]}) for shape in shapes]
        if self.projects and self.units is not None:
            for position, shape in enumerate(shapes):
                self.projections.append(self.make_dense(self.units, shape, name=f"projection_{position}"))
            shapes = [(*shape[:-1], self.units) for shape in shapes]
        self.build_merge(shapes, self.split_shapes(shapes)[1])

    def make_dense(self, units: int, shape: Shape, *, name: str, **arguments: Any) -> keras.layers.Layer:
        """Make and build a dense layer, with a kernel and a bias per member if there are members.

        Args:
            units: features of its result.
            shape: shape of its input.
            name: of its own in this fusion.
            **arguments: ``activation``, initializers: as for `keras.layers.Dense`.

        Returns:
            The layer, to be kept as an attribute.
        """
        kind = keras.layers.Dense if self.members is None else MemberDense
        if name in self._adapted:
            dense = kind.from_config(self._adapted[name])
        else:
            dense = kind(units, name=name, dtype=self.dtype_policy, **arguments)
        dense.build(shape)
        return dense

    def weight_shape(self, *shape: int) -> tuple[int, ...]:
        """Return the shape of a weight that a lone network would have with ``shape``."""
        return shape if self.members is None else (self.members, *shape)

    def align(self, weight: Any, tensor: Any) -> Any:
        """Reshapes a weight of ``weight_shape`` so that it broadcasts against a tensor.

        Args:
            weight: tensor or variable; its axes, but for that of the members, belong to the last ones of ``tensor``.
            tensor: shape ``(n, ...)``, or ``(n, members, ...)``.
        """
        weight = ops.convert_to_tensor(weight)  # Not every backend takes a variable everywhere.
        if self.members is None:
            return weight
        between = (1,) * (len(tensor.shape) - 1 - len(weight.shape))
        return ops.reshape(weight, (self.members, *between, *weight.shape[1:]))

    def prepare(self, inputs: list[Any]) -> list[Any]:
        """Cast the inputs to the compute dtype (Keras does so for floats only), project and normalise them as asked."""
        inputs = [ops.cast(branch, self.compute_dtype) for branch in inputs]
        if self.projections:
            inputs = [project(branch) for project, branch in zip(self.projections, inputs, strict=True)]
        if self.normalize:
            inputs = [ops.rms_normalization(branch, axis=-1, epsilon=_RMS_EPSILON) for branch in inputs]
        return inputs

    def call(self, inputs: Sequence[Any]) -> Any:
        """Prepare and merge the inputs.

        Args:
            inputs: two or more tensors of shape ``(n, ..., features)``, or ``(n, members, ..., features)``.

        Returns:
            Tensor of shape ``(n, ..., merged features)`` or ``(n, members, ..., merged features)`` in the compute
            dtype.
        """
        return self.merge(self.prepare(list(inputs)))

    def compute_mask(self, inputs: Sequence[Any], mask: Any = None) -> Any:
        """Return the Keras mask of the result: None if one of the inputs has none, else where any input is there."""
        return keras.layers.Average(name="mask").compute_mask(inputs, mask)

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        """Return the merged shape, built or not.

        Args:
            input_shape: one shape per input.

        Returns:
            The common leading axes, then the merged width.

        Raises:
            ValueError: if the inputs do not fit together.
        """
        name = type(self).__name__
        leading, widths = self.split_shapes(input_shape)
        if self.projects and self.units is not None:
            widths = [self.units] * len(widths)
        if self.normalize and 1 in widths:
            raise ValueError(
                f"{name}: normalize=True would leave of a branch with one feature only its sign, "
                f"got widths {widths}. Give units=2 or more, or normalize=False"
            )
        return (*leading, self.merged_width(widths))

    def split_shapes(self, input_shape: Sequence[Shape]) -> tuple[Shape, list[int]]:
        """Check that the input shapes fit together.

        Args:
            input_shape: one shape per input.

        Returns:
            The axes that all inputs share, and the number of features of each.

        Raises:
            ValueError: if they do not fit together.
        """
        name = type(self).__name__
        is_list_of_shapes = bool(input_shape) and all(isinstance(shape, list | tuple) for shape in input_shape)
        if not is_list_of_shapes or len(input_shape) < 2:
            raise ValueError(f"{name} merges a list of at least two inputs, got shape {input_shape}")
        shapes = [tuple(shape) for shape in input_shape]
        widths = [shape[-1] for shape in shapes if len(shape) >= 2 and shape[-1] is not None]
        if len(widths) < len(shapes):
            raise ValueError(
                f"{name} needs inputs of shape (n, ..., features) with a known number of features, got {shapes}. "
                "Reshape, flatten or pool the branches first"
            )
        if len({len(shape) for shape in shapes}) > 1:
            raise ValueError(
                f"{name} needs inputs with the same number of axes, got {shapes}. "
                "Flatten or pool the branches to (n, features) first"
            )
        self.check_members(shapes)
        message = f"{name} needs inputs that agree in all axes but the last, got {shapes}."
        return common_axes([shape[:-1] for shape in shapes], message), widths

    def check_members(self, shapes: list[Shape]) -> None:
        """Raise ValueError unless every input has the axis of members."""
        if self.members is not None and any(len(shape) < 3 or shape[1] != self.members for shape in shapes):
            raise ValueError(
                f"{type(self).__name__}: members={self.members} needs inputs of shape (n, {self.members}, ..., "
                f"features), got {shapes}. Leave members out to merge the branches of one network"
            )

    def get_config(self) -> dict[str, Any]:
        """Return everything needed to make this layer again, with the dense layers that were quantized or got LoRA."""
        config = {**super().get_config(), "units": self.units, "normalize": self.normalize, "members": self.members}
        adapted = dict(self._adapted)
        for layer in self._flatten_layers(include_self=False):
            if layer.quantization_mode or getattr(layer, "lora_enabled", False):
                adapted[layer.name] = layer.get_config()
        return {**config, "adapted": adapted} if adapted else config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Fusion:
        """Make the layer of a config."""
        arguments = dict(config)
        adapted = arguments.pop("adapted", {})
        layer = super().from_config(arguments)
        layer._adapted = adapted
        return layer


def common_axes(shapes: list[Shape], message: str) -> Shape:
    """Return the axes of shapes that are alike, an unknown one being what the others say, or raise ValueError."""
    axes: list[int | None] = []
    for sizes in zip(*shapes, strict=True):
        known = set(sizes) - {None}
        if len(known) > 1:
            raise ValueError(message)
        axes.append(known.pop() if known else None)
    return tuple(axes)
