"""An ONNX file as what reads photos: DINOv2, SigLIP, or anything else that was exported; no Keras is needed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from mixed_data.preprocessing.onnx_session import OnnxSession
from mixed_data.preprocessing.pixel_conventions import PIXEL_SCALINGS, count_prefix_tokens

_MOST_BYTES = 2**31 - 1
"""What one Protocol Buffers message can hold; a larger network keeps its weights in a second file, which is refused."""

_MOST_FEATURES = 2**16
_LARGEST_SIDE = 4096
_MOST_PIXELS = 2**26  # of a batch
_TOKENS_OUTPUT = "last_hidden_state"
MAP_ENDING = "_map"
"""Of the names of outputs that hold the maps whose means over the photo a vector consists of."""


class OnnxBackbone:
    """A network in an ONNX file as a `mixed_data.preprocessing.photo_vectors.Backbone`.

    The photos' size and the order of their axes are read from the graph; how pixels are scaled does not stand there.
    What is read is the output called ``last_hidden_state``, else the first one:

    - a map ``(n, C, h, w)``, or ``(n, h, w, C)`` where the photos come so: means over the photo, tamed by a signed
      square root as those of a convolutional network from Keras;
    - tokens ``(n, T, C)``: the class token, if there is one, and the mean of the patches, side by side; registers are
      left out (see `count_prefix_tokens`);
    - a vector ``(n, C)``, as it is.

    The network is fed one photo at a time, or as many as its graph fixes, so that no vector depends on what came with
    it; on a processor that is the fastest way too. A network that takes uint8 gets the pixels as they are.

    Args:
        content: of the file.
        scaling: a name in `PIXEL_SCALINGS`; "raw" for uint8.
        size: height and width of the photos, in pixels, where the graph does not fix them.
        flip_average: whether a vector is the mean of the photo's and its mirror image's.
        name: of the file, for messages.
        num_threads: see `OnnxSession`.

    Raises:
        ValueError: onnxruntime is missing, the file is no network that can be run, or it does not turn one batch of
            photos into one of the outputs above.

    Reference:
        Open Neural Network Exchange, https://onnx.ai. Oquab et al. 2023, DINOv2, arXiv:2304.07193. Zhai et al. 2023,
        SigLIP, arXiv:2303.15343.
    """

    suffix = ".onnx"

    def __init__(
        self,
        content: bytes,
        *,
        scaling: str,
        size: tuple[int, int],
        flip_average: bool,
        name: str,
        num_threads: int | None = None,
    ) -> None:
        if scaling not in PIXEL_SCALINGS:
            raise ValueError(f"{name}: expected a scaling of {', '.join(PIXEL_SCALINGS)}, got {scaling!r:.80}")
        self._session, self._name = OnnxSession(content, name=name, num_threads=num_threads), name
        self._scaling, self._flip_average = scaling, flip_average
        self._input, shape, self._takes_bytes = self._read_input()
        if self._takes_bytes and scaling != "raw":
            raise ValueError(f"{name} takes pixels from 0 to 255, as uint8; give it the scaling 'raw', not {scaling!r}")
        self._channels_first = _find_channels(shape, name) == 1
        sides = shape[2:4] if self._channels_first else shape[1:3]
        height, width = (side if isinstance(side, int) else given for side, given in zip(sides, size, strict=True))
        self.size = (height, width)
        self._batch = shape[0] if isinstance(shape[0], int) and shape[0] > 0 else 1
        if min(self.size) < 1 or max(self.size) > _LARGEST_SIDE or self._batch * height * width > _MOST_PIXELS:
            raise ValueError(
                f"{name}: expected photos of 1 to {_LARGEST_SIDE} pixels a side, at most {_MOST_PIXELS:,} in a batch, "
                f"got {self._batch} of {height} x {width}"
            )
        outputs = {output.name: output for output in self._session.outputs}
        self._output = _TOKENS_OUTPUT if _TOKENS_OUTPUT in outputs else next(iter(outputs))
        self.block_sizes = self._measure(outputs[self._output].shape)
        identity = [hashlib.sha256(content).hexdigest(), self.settings]
        self.digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()

    @classmethod
    def read(
        cls, file: Path, *, scaling: str, size: tuple[int, int], flip_average: bool, num_threads: int | None = None
    ) -> OnnxBackbone:
        """Read a file; see the class."""
        if file.stat().st_size > _MOST_BYTES:
            raise ValueError(f"{file.name} has {file.stat().st_size:,} bytes, more than the {_MOST_BYTES:,} of ONNX")
        settings: dict[str, Any] = {"scaling": scaling, "size": size, "flip_average": flip_average}
        return cls(file.read_bytes(), **settings, name=file.name, num_threads=num_threads)

    @property
    def settings(self) -> dict[str, Any]:
        """The arguments of `read` beside the file."""
        return {"scaling": self._scaling, "size": list(self.size), "flip_average": self._flip_average}

    @property
    def content(self) -> bytes:
        """Of the file."""
        return self._session.content

    def write(self, file: Path) -> None:
        """Write the file as it was read."""
        file.write_bytes(self.content)

    def compute(self, photos: np.ndarray) -> np.ndarray:
        """Turn photos, uint8 ``(n, H, W, 3)``, RGB, into vectors, float32 ``(n, D)``."""
        pixels = photos
        if not self._takes_bytes:
            mean, deviation = (np.array(values, dtype="float32") for values in PIXEL_SCALINGS[self._scaling])
            pixels = (photos.astype("float32") - mean) / deviation
        sides = [pixels, pixels[:, :, ::-1]] if self._flip_average else [pixels]
        outputs = [self._run(side) for side in sides]
        blocks = [np.mean(block, axis=0) for block in zip(*map(self._pool, outputs), strict=True)]
        if outputs[0].ndim == 4:
            blocks = [np.sign(block) * np.sqrt(np.abs(block)) for block in blocks]
        return np.concatenate(blocks, axis=1)

    def read_maps(self, photo: np.ndarray) -> list[np.ndarray]:
        """Return the maps whose means over the photo its vector consists of.

        Args:
            photo: uint8 ``(H, W, 3)``, RGB.

        Returns:
            float32 ``(h, w, C)`` each; none of a network that gives its vectors only. The signed square roots of their
            means, side by side, are the vector.
        """
        names = [output.name for output in self._session.outputs if output.name.endswith(MAP_ENDING)]
        return [found[0] for found in self._session.run(names, {self._input: photo[None]})] if names else []

    def _read_input(self) -> tuple[str, list[int | str | None], bool]:
        """Return the name and the shape of the one input, and whether it takes uint8."""
        inputs = self._session.inputs
        if len(inputs) != 1:
            names = ", ".join(part.name for part in inputs[:5])
            raise ValueError(
                f"{self._name}: expected one input, the photos, got {len(inputs)} ({names:.200}); export the part that "
                "reads photos alone"
            )
        (photos,) = inputs
        if photos.type not in ("tensor(float)", "tensor(uint8)") or len(photos.shape) != 4:
            raise ValueError(
                f"{self._name}: expected photos as tensor(float) or tensor(uint8) of 4 axes, got {photos.type} of "
                f"shape {photos.shape}"
            )
        return photos.name, photos.shape, photos.type == "tensor(uint8)"

    def _measure(self, shape: list[int | str | None]) -> tuple[int, ...]:
        """Return the sizes of the blocks; where the graph does not tell, look at one black photo."""
        if len(shape) == 2 and isinstance(shape[1], int):
            sizes: tuple[int, ...] = (shape[1],)
        else:
            output = self._run(np.zeros((1, *self.size, 3), dtype="uint8" if self._takes_bytes else "float32"))
            if output.ndim not in (2, 3, 4) or not np.isfinite(output).all():
                raise ValueError(
                    f"{self._name}: expected finite numbers of shape (photos, …) with 2, 3 or 4 axes as output "
                    f"{self._output!r}, got shape {output.shape}"
                )
            sizes = tuple(block.shape[1] for block in self._pool(output))
        if not 0 < sum(sizes) <= _MOST_FEATURES:
            raise ValueError(f"{self._name}: expected 1 to {_MOST_FEATURES} numbers per photo, got {sum(sizes)}")
        return sizes

    def _run(self, pixels: np.ndarray) -> np.ndarray:
        """Return the output for pixels as the network takes them, ``(n, H, W, 3)``, by full batches."""
        parts = []
        for start in range(0, len(pixels), self._batch):
            part = pixels[start : start + self._batch]
            batch = np.zeros((self._batch, *part.shape[1:]), dtype=pixels.dtype)
            batch[: len(part)] = part
            if self._channels_first:
                batch = np.ascontiguousarray(batch.transpose(0, 3, 1, 2))
            try:
                (output,) = self._session.run([self._output], {self._input: batch})
            except ValueError as error:
                raise ValueError(
                    f"{self._name} cannot read photos of {self.size[0]} x {self.size[1]} pixels; give the size that it "
                    f"was made for (image_size): {error}"
                ) from error
            if output.shape[:1] != (self._batch,):
                raise ValueError(
                    f"{self._name}: expected output {self._output!r} of shape ({self._batch}, …) for {self._batch} "
                    f"photos, got {output.shape}"
                )
            parts.append(np.asarray(output, dtype="float32")[: len(part)])
        return np.concatenate(parts)

    def _pool(self, output: np.ndarray) -> list[np.ndarray]:
        """Return what is kept of an output, blocks of shape ``(n, C)``."""
        if output.ndim == 2:
            return [output]
        if output.ndim == 4:
            return [output.mean(axis=(2, 3) if self._channels_first else (1, 2))]
        try:
            number = count_prefix_tokens(output.shape[1], self.size)
        except ValueError as error:
            raise ValueError(f"{self._name}: {error}") from None
        return [*([output[:, 0]] if number else []), output[:, number:].mean(axis=1)]


def _find_channels(shape: list[int | str | None], name: str) -> int:
    """Return which axis holds the colours: the one of size 3, or the one that is called channels."""
    found = [axis for axis in (1, 3) if shape[axis] == 3]
    found = found or [axis for axis in (1, 3) if isinstance(shape[axis], str) and "channel" in str(shape[axis])]
    if len(found) != 1:
        raise ValueError(
            f"{name}: expected photos of shape (n, 3, height, width) or (n, height, width, 3), got {shape}; export it "
            "with a fixed number of channels"
        )
    return found[0]
