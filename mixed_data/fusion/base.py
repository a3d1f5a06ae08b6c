"""What every fusion layer shares: shape checks, projection to one width, and one scale for all branches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

Shape = tuple[int | None, ...]

# Large enough to bound the gradient of a row of zeros (a house without photos) at 1,000 times what came.
_RMS_EPSILON = 1e-6


class Fusion(keras.layers.Layer):
    """Merges a list of branches into one tensor; the base class of everything in ``FUSIONS``.

    A subclass writes ``merge``, and ``merged_width`` where its inputs need not have equal widths. The rest
    happens here, in this order: inputs are checked, projected to ``units`` features (if given), put on one
    scale (if ``normalize``), and merged. All weights are made in ``build``, so the layer gives the same
    answer each time it is called, and every weight is trained and saved.

    Args:
        units: Project every input to this many features first, each with a kernel and a bias of its own.
            ``None`` merges the inputs as they are.
        normalize: Divide every branch by the root mean square of its features, row by row, without
            parameters. Afterwards all branches have one scale; what a row's magnitude said is lost.
        **kwargs: ``name``, ``dtype``, ``trainable``: as for every Keras layer.

    Raises:
        ValueError: If ``units`` is below 1; when built, if there are fewer than two inputs or they do not fit
            together.

    Reference:
        Root mean square normalisation: Zhang and Sennrich (2019), arXiv:1910.07467.
    """

    def __init__(self, *, units: int | None = None, normalize: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if units is not None and units < 1:
            raise ValueError(f"{type(self).__name__}: units must be at least 1 or None, got {units}.")
        self.units = units
        self.normalize = normalize
        self.projections: list[keras.layers.Dense] = []

    def merge(self, inputs: list[Any]) -> Any:
        """Merges the projected and normalised inputs.

        Args:
            inputs: Two or more tensors in the compute dtype, alike in all axes but possibly the last.

        Returns:
            One tensor in the compute dtype.
        """
        raise NotImplementedError

    def merged_width(self, widths: list[int]) -> int:
        """Says how many features the merged tensor has; elementwise fusions need equal widths.

        Args:
            widths: Features of each branch as it reaches ``merge``.

        Returns:
            The number of features after merging.

        Raises:
            ValueError: If these widths cannot be merged.
        """
        if len(set(widths)) > 1:
            raise ValueError(
                f"{type(self).__name__} merges inputs of equal width, got widths {widths}. "
                f"Give units= (for example units={min(widths)}) to project every input to that width."
            )
        return widths[0]

    def build(self, input_shape: Sequence[Shape]) -> None:
        """Checks the input shapes and makes the projections.

        Args:
            input_shape: One shape per input.
        """
        self.compute_output_shape(input_shape)
        if self.units is not None:
            for position, shape in enumerate(input_shape):
                projection = keras.layers.Dense(self.units, name=f"projection_{position}", dtype=self.dtype_policy)
                projection.build(shape)
                self.projections.append(projection)
        self.input_spec = [keras.InputSpec(ndim=len(shape), axes={-1: shape[-1]}) for shape in input_shape]

    def call(self, inputs: Sequence[Any]) -> Any:
        """Projects and normalises as asked, then merges.

        Args:
            inputs: Two or more tensors of shape ``(n, ..., features)``.

        Returns:
            Tensor of shape ``(n, ..., merged features)`` in the compute dtype.
        """
        branches = list(inputs)
        if self.projections:
            branches = [project(branch) for project, branch in zip(self.projections, branches, strict=True)]
        if self.normalize:
            branches = [ops.rms_normalization(branch, axis=-1, epsilon=_RMS_EPSILON) for branch in branches]
        return self.merge(branches)

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        """Gives the merged shape, built or not.

        Args:
            input_shape: One shape per input.

        Returns:
            The common leading axes, then the merged width.

        Raises:
            ValueError: If the inputs do not fit together.
        """
        name = type(self).__name__
        leading, widths = _split_shapes(name, input_shape)
        if self.units is not None:
            widths = [self.units] * len(widths)
        if self.normalize and 1 in widths:
            raise ValueError(
                f"{name}: normalize=True would leave of a branch with one feature only its sign, "
                f"got widths {widths}. Give units=2 or more, or normalize=False."
            )
        return (*leading, self.merged_width(widths))

    def get_config(self) -> dict[str, Any]:
        """Returns everything needed to make this layer again."""
        return {**super().get_config(), "units": self.units, "normalize": self.normalize}


def _split_shapes(name: str, input_shape: Sequence[Shape]) -> tuple[Shape, list[int]]:
    """Checks that the shapes agree in all axes but the last; returns those axes, and the widths."""
    is_list_of_shapes = bool(input_shape) and all(isinstance(shape, list | tuple) for shape in input_shape)
    if not is_list_of_shapes or len(input_shape) < 2:
        raise ValueError(f"{name} merges a list of at least two inputs, got shape {input_shape}.")
    shapes = [tuple(shape) for shape in input_shape]
    widths = [shape[-1] for shape in shapes if len(shape) >= 2 and shape[-1] is not None]
    if len(widths) < len(shapes):
        raise ValueError(
            f"{name} needs inputs of shape (n, ..., features) with a known number of features, got {shapes}. "
            "Reshape, flatten or pool the branches first."
        )
    if len({len(shape) for shape in shapes}) > 1:
        raise ValueError(
            f"{name} needs inputs with the same number of axes, got {shapes}. "
            "Flatten or pool the branches to (n, features) first."
        )
    leading: list[int | None] = []
    for sizes in zip(*(shape[:-1] for shape in shapes), strict=True):
        known = set(sizes) - {None}
        if len(known) > 1:
            raise ValueError(f"{name} needs inputs that agree in all axes but the last, got {shapes}.")
        leading.append(known.pop() if known else None)
    return tuple(leading), widths
