"""Attention pooling: the table asks which of a row's pictures to look at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from mixed_data.fusion.base_fusion import Fusion, common_axes
from mixed_data.members import Shape

_LOWEST = float(np.finfo("float32").min)


@keras.saving.register_keras_serializable(package="mixed_data")
class AttentionPooling(Fusion):
    """Puts beside the table a mean of the views, weighted by how well each answers the table's question.

    The weights of a row's views are softmax(q . k_v / sqrt(units)), with the query q = Q t + c from the table's
    features t and a key k_v = K x_v from the features x_v of each view; the result is [t, sum of weight_v * x_v].
    For rows with many or unequal pictures: a mean gives the blurred one the same say as the good one. It also works
    with any number of views.

    A view that is masked has a weight of exactly zero, whatever its features hold. A row without any view gets the
    learned vector ``missing`` in place of the mean.

    Its weak side: with four views of fixed roles there is little to choose, and a softmax over few rows easily
    settles on one view. The weights say what was looked at, not what mattered.

    Args:
        units: width of query and keys. Neither table nor views are projected otherwise. ``None`` takes the width of
            the views.
        normalize: put the table and every view on one scale first, see ``Fusion``.
        members: networks at once, see ``Fusion``.
        **kwargs: ``name``, ``dtype``, ``trainable``: as for every Keras layer.

    Returns:
        Called on three tensors, table ``(n, f)``, views ``(n, V, g)`` and bool mask ``(n, V)`` (True = the view is
        there): one tensor ``(n, f + g)``. With members table ``(n, members, f)``, views ``(n, members, V, g)``,
        mask ``(n, members, V)`` and result ``(n, members, f + g)``.

    Example:
        >>> import numpy as np
        >>> from mixed_data.fusion import AttentionPooling
        >>> table, views = np.array([[7.0]]), np.array([[[1.0, 2.0], [9.0, 9.0]]])
        >>> merged = AttentionPooling()([table, views, np.array([[True, False]])])
        >>> [float(value) for value in merged[0]]
        [7.0, 1.0, 2.0]

    Reference:
        Scaled dot-product attention: Vaswani et al. (2017), arXiv:1706.03762. Attention as pooling over the pictures
        of one case: Ilse, Tomczak and Welling (2018), arXiv:1802.04712.
    """

    takes_views = True
    projects = False

    def attention_weights(self, inputs: Sequence[Any]) -> Any:
        """Says how much each view counts in each row.

        Args:
            inputs: as for the layer itself; arrays, or symbolic tensors to make a model of the weights.

        Returns:
            Tensor ``(n, [members,] V)``, float32 or wider; each row sums to 1, or to 0 where no view is there. Keras
            masks are not looked at here.
        """
        return self._weights(*self.prepare(list(inputs)))

    def call(self, inputs: Sequence[Any], mask: Any = None) -> Any:
        """Prepare and merge the inputs; a view that its Keras mask leaves out is not there."""
        table, views, present = inputs
        if mask is not None and mask[1] is not None:
            present = ops.logical_and(present, mask[1])
        return super().call([table, views, present])

    def compute_mask(self, inputs: Sequence[Any], mask: Any = None) -> Any:
        """Return the Keras mask of the table."""
        return None if mask is None else mask[0]

    def split_shapes(self, input_shape: Sequence[Shape]) -> tuple[Shape, list[int]]:
        """Check the shapes of table, views and mask; return the axes before the features, and the two widths."""
        expected = "a table (n, features), views (n, V, features) and their mask (n, V)"
        is_list_of_shapes = all(isinstance(shape, list | tuple) for shape in input_shape)
        if not is_list_of_shapes or len(input_shape) != 3:
            raise ValueError(f"AttentionPooling merges a list of three inputs, {expected}, got shape {input_shape}")
        table, views, mask = shapes = [tuple(shape) for shape in input_shape]
        self.check_members(shapes)
        num_axes = 2 if self.members is None else 3
        if [len(shape) for shape in shapes] != [num_axes, num_axes + 1, num_axes]:
            where = "" if self.members is None else ", each with the axis of members after n"
            raise ValueError(f"AttentionPooling needs {expected}{where}, got {shapes}")
        if table[-1] is None or views[-1] is None:
            raise ValueError(f"AttentionPooling needs a known number of features of table and views, got {shapes}")
        message = f"AttentionPooling needs {expected} to agree in their axes before the features, got {shapes}."
        *leading, _ = common_axes([(*table[:-1], None), views[:-1], mask], message)
        return tuple(leading), [table[-1], views[-1]]

    def merged_width(self, widths: list[int]) -> int:
        """Return the sum of the widths of table and views."""
        return sum(widths)

    def build_merge(self, shapes: list[Shape], widths: list[int]) -> None:
        """Make the layers of query and keys, and the vector that stands for "no view at all"."""
        table, views, _ = shapes
        units = self.units or widths[1]
        self.query = self.make_dense(units, table, name="query")
        self.key = self.make_dense(units, views, name="key", use_bias=False)  # It would add the same to all scores.
        self.missing = self.add_weight(name="missing", shape=self.weight_shape(widths[1]), initializer="zeros")

    def prepare(self, inputs: list[Any]) -> list[Any]:
        """Empty the masked views, so that nothing they hold can leak, and normalise as asked."""
        table, views, mask = inputs
        present = ops.cast(mask, "bool")
        views = ops.where(ops.expand_dims(present, -1), views, ops.zeros_like(views))
        return [*super().prepare([table, views]), present]

    def merge(self, inputs: list[Any]) -> Any:
        """Put the table and the weighted mean of the views side by side."""
        table, views, present = inputs
        weights = ops.cast(self._weights(*inputs), views.dtype)
        attended = ops.sum(ops.expand_dims(weights, -1) * views, axis=-2)
        any_present = ops.any(present, axis=-1, keepdims=True)
        attended = ops.where(any_present, attended, self.align(self.missing, attended))
        return ops.concatenate([table, attended], axis=-1)

    def _weights(self, table: Any, views: Any, present: Any) -> Any:
        """Softmax over the views that are there, at least in float32: float16 would overflow.

        `keras.ops.softmax` warns of a single view, and knows no row without any.
        """
        dtype = keras.backend.result_type(self.compute_dtype, "float32")
        query, keys = ops.cast(self.query(table), dtype), ops.cast(self.key(views), dtype)
        scores = ops.sum(ops.expand_dims(query, -2) * keys, axis=-1) / math.sqrt(query.shape[-1])
        scores = ops.where(present, scores, _LOWEST)
        largest = ops.stop_gradient(ops.max(scores, axis=-1, keepdims=True))
        parts = ops.exp(scores - largest) * ops.cast(present, dtype)
        total = ops.sum(parts, axis=-1, keepdims=True)
        return parts / ops.where(total > 0, total, 1.0)
