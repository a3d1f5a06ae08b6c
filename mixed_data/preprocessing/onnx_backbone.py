"""An ONNX file as what reads photos: DINOv2, SigLIP, or anything else that was exported; no Keras is needed."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from mixed_data.preprocessing.photo_vectors import NUM_PHOTOS_PER_STEP
from mixed_data.preprocessing.pixel_conventions import PIXEL_SCALINGS, count_prefix_tokens

_MOST_BYTES = 2**31 - 1
"""What one Protocol Buffers message can hold; a larger network keeps its weights in a second file, which is refused."""

_MOST_FEATURES = 2**16
_TOKENS_OUTPUT = "last_hidden_state"


class OnnxBackbone:
    """A network in an ONNX file as a `mixed_data.preprocessing.photo_vectors.Backbone`.

    The photos' size and the order of their axes are read from the graph; how pixels are scaled does not stand there.
    What is read is the output called ``last_hidden_state``, else the first one:

    - a map ``(n, C, h, w)``, or ``(n, h, w, C)`` where the photos come so: means over the photo, tamed by a signed
      square root as those of a convolutional network from Keras;
    - tokens ``(n, T, C)``: the class token, if there is one, and the mean of the patches, side by side; registers are
      left out (see `count_prefix_tokens`);
    - a vector ``(n, C)``, as it is.

    The network is fed a fixed number of photos, so that no vector depends on what came with it. onnxruntime runs no
    operators but its own, and reads no second file.

    Args:
        content: of the file.
        scaling: a name in `PIXEL_SCALINGS`.
        size: height and width of the photos, in pixels, where the graph does not fix them.
        flip_average: whether a vector is the mean of the photo's and its mirror image's.
        name: of the file, for messages.

    Raises:
        ValueError: onnxruntime is missing, the file is no network that can be run, or it does not turn one batch of
            photos into one of the outputs above.

    Reference:
        Open Neural Network Exchange, https://onnx.ai. Oquab et al. 2023, DINOv2, arXiv:2304.07193. Zhai et al. 2023,
        SigLIP, arXiv:2303.15343.
    """

    suffix = ".onnx"

    def __init__(self, content: bytes, *, scaling: str, size: tuple[int, int], flip_average: bool, name: str) -> None:
        if scaling not in PIXEL_SCALINGS:
            raise ValueError(f"{name}: expected a scaling of {', '.join(PIXEL_SCALINGS)}, got {scaling!r:.80}")
        self._content, self._name = content, name
        self._scaling, self._flip_average = scaling, flip_average
        self._session: tuple[int, Any] | None = None
        self._input, shape = self._read_input()
        self._channels_first = _find_channels(shape, name) == 1
        sides = shape[2:4] if self._channels_first else shape[1:3]
        height, width = (side if isinstance(side, int) else given for side, given in zip(sides, size, strict=True))
        self.size = (height, width)
        self._batch = shape[0] if isinstance(shape[0], int) and shape[0] > 0 else NUM_PHOTOS_PER_STEP
        outputs = [output.name for output in self._start().get_outputs()]
        self._output = _TOKENS_OUTPUT if _TOKENS_OUTPUT in outputs else outputs[0]
        self.block_sizes = self._probe()
        identity = [hashlib.sha256(content).hexdigest(), self.settings]
        self.digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()

    @classmethod
    def read(cls, file: Path, *, scaling: str, size: tuple[int, int], flip_average: bool) -> OnnxBackbone:
        """Read a file; see the class."""
        if file.stat().st_size > _MOST_BYTES:
            raise ValueError(f"{file.name} has {file.stat().st_size:,} bytes, more than the {_MOST_BYTES:,} of ONNX")
        return cls(file.read_bytes(), scaling=scaling, size=size, flip_average=flip_average, name=file.name)

    @property
    def settings(self) -> dict[str, Any]:
        """The arguments of `read` beside the file."""
        return {"scaling": self._scaling, "size": list(self.size), "flip_average": self._flip_average}

    def write(self, file: Path) -> None:
        """Write the file as it was read."""
        file.write_bytes(self._content)

    def compute(self, photos: np.ndarray) -> np.ndarray:
        """Turn photos, uint8 ``(n, H, W, 3)``, RGB, into vectors, float32 ``(n, D)``."""
        mean, deviation = (np.array(values, dtype="float32") for values in PIXEL_SCALINGS[self._scaling])
        pixels = (photos.astype("float32") - mean) / deviation
        sides = [pixels, pixels[:, :, ::-1]] if self._flip_average else [pixels]
        outputs = [self._run(side) for side in sides]
        blocks = [np.mean(block, axis=0) for block in zip(*map(self._pool, outputs), strict=True)]
        if outputs[0].ndim == 4:
            blocks = [np.sign(block) * np.sqrt(np.abs(block)) for block in blocks]
        return np.concatenate(blocks, axis=1)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the session, which another process starts for itself."""
        return {**self.__dict__, "_session": None}

    def _start(self) -> Any:
        """Return the session of this process; one that was forked off cannot use its parent's threads."""
        if self._session is None or self._session[0] != os.getpid():
            try:
                import onnxruntime
            except ImportError:
                raise ValueError(
                    f"reading {self._name} needs onnxruntime; type: pip install 'mixed_data[onnx]'"
                ) from None
            options = onnxruntime.SessionOptions()
            options.log_severity_level = 4  # What is wrong comes as an exception.
            options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
            try:
                session = onnxruntime.InferenceSession(self._content, options, providers=["CPUExecutionProvider"])
            except Exception as error:  # onnxruntime has exceptions of its own, with no common ancestor
                raise ValueError(
                    f"{self._name} is no ONNX network that onnxruntime can run by itself, all in one file: "
                    f"{error!s:.500}"
                ) from error
            self._session = (os.getpid(), session)
        return self._session[1]

    def _read_input(self) -> tuple[str, list[int | str | None]]:
        """Return the name and the shape of the one input."""
        inputs = self._start().get_inputs()
        if len(inputs) != 1:
            names = ", ".join(part.name for part in inputs[:5])
            raise ValueError(
                f"{self._name}: expected one input, the photos, got {len(inputs)} ({names:.200}); export the part that "
                "reads photos alone"
            )
        (photos,) = inputs
        if photos.type != "tensor(float)" or len(photos.shape) != 4:
            raise ValueError(
                f"{self._name}: expected photos as tensor(float) of 4 axes, got {photos.type} of shape {photos.shape}"
            )
        return photos.name, photos.shape

    def _probe(self) -> tuple[int, ...]:
        """Look at one black photo, and return the sizes of the blocks."""
        height, width = self.size
        output = self._run(np.zeros((1, height, width, 3), dtype="float32"))
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
        """Return the output for scaled photos, float32 ``(n, H, W, 3)``, by full batches."""
        parts = []
        for start in range(0, len(pixels), self._batch):
            part = pixels[start : start + self._batch]
            batch = np.zeros((self._batch, *part.shape[1:]), dtype="float32")
            batch[: len(part)] = part
            if self._channels_first:
                batch = np.ascontiguousarray(batch.transpose(0, 3, 1, 2))
            try:
                (output,) = self._start().run([self._output], {self._input: batch})
            except Exception as error:  # as above
                raise ValueError(
                    f"{self._name} cannot read photos of {self.size[0]} x {self.size[1]} pixels; give the size that it "
                    f"was made for (image_size): {error!s:.500}"
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
