"""Networks as `.keras` files, read as if a stranger had written them.

Keras' own safe mode refuses lambdas. Here everything else is refused that no network of this project needs: nothing is
built before the archive, the classes and the shapes of the weights have been checked against closed lists and sizes.
"""

from __future__ import annotations

import math
import shutil
import zipfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import h5py  # type: ignore[import-untyped]
import keras

from mixed_data.files.checked_json import parse_json

_CONFIG, _METADATA, _WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
_MEMBERS = {_CONFIG, _METADATA, _WEIGHTS}
_MOST_CONFIG_BYTES = 8 * 2**20  # NASNetLarge, the largest of keras.applications, has 1 MB
_LARGEST_NUMBER = 2**31  # a seed; no side, width or count comes near
_MOST_PER_ROW = 2**26
"""Numbers in any tensor of the network for one row or photo: a photo of 1,000 x 1,000 pixels in 64 channels."""

_LAYERS = (
    "Activation Add AveragePooling2D BatchNormalization Concatenate Conv2D Cropping1D Cropping2D Dense DepthwiseConv2D "
    "Dropout Flatten GlobalAveragePooling2D Identity InputLayer LayerNormalization MaxPooling2D Multiply Normalization "
    "ReLU Rescaling Reshape SeparableConv2D ZeroPadding2D"
)
_OPERATIONS = (
    "Absolute Add Concatenate ExpandDims Flip GetItem Mean Multiply Repeat Reshape Sign Sqrt Stack Subtract TrueDivide "
    "Where"
)
_CLASSES = {
    "keras": "DTypePolicy Sequential",
    "keras.initializers": "GlorotUniform HeNormal Ones VarianceScaling Zeros",
    "keras.layers": _LAYERS,
    "keras.src.applications.convnext": "LayerScale",
    "keras.src.models.functional": "Functional",
    "keras.src.ops.core": "Cast",
    "keras.src.ops.numpy": _OPERATIONS,
}
"""What the networks of this room and the backbones of `keras.applications` are made of, by module.
Those of this package itself, such as its fusions, come on top."""

_KNOWN = {(module, name) for module, names in _CLASSES.items() for name in names.split()}
_VALUES = {"__keras_tensor__", "__tensor__", "__ellipsis__"}
_PACKAGE = "mixed_data"
_KEYS = {"module", "class_name", "config", "registered_name", "build_config", "name", "inbound_nodes"}
_KEYS |= {"compile_config", "shared_object_id"}
_MODELS = {"Functional", "Sequential"}

Shape = tuple[int, ...]


class _Parts(NamedTuple):
    config: dict[str, Any]
    weights: Path
    shapes: Counter[Shape]


def write_keras(network: keras.Model, file: Path) -> None:
    """Write a network, and check that `read_keras` will take it.

    Raises:
        ValueError: it would not.
    """
    network.save(file)
    with TemporaryDirectory() as folder:
        _unpack(file, Path(folder))
    _check_sizes(network)


def read_keras(file: Path) -> keras.Model:
    """Read a network that `write_keras` wrote.

    Raises:
        ValueError: the file holds something else: another member than Keras writes, a class that is not on the list,
            weights that are not those of the network, or a network too large to be one of ours.
    """
    # In a thread of its own, where variables that are never made leave nothing behind in Keras' state.
    with TemporaryDirectory() as folder, ThreadPoolExecutor(1) as pool:
        parts = _unpack(file, Path(folder))
        try:
            return pool.submit(_build, parts).result()
        except Exception as error:  # Keras raises errors of all kinds
            raise ValueError(f"{file.name}: {error}") from error


def _unpack(file: Path, folder: Path) -> _Parts:
    """Check a file and put its weights, from where they are read quickest, into a folder."""
    weights = folder / _WEIGHTS
    try:
        with zipfile.ZipFile(file) as archive:
            _check_members(archive, file.stat().st_size)
            config = _parse(archive.read(_CONFIG))
            _parse(archive.read(_METADATA))
            check_classes(config)
            with archive.open(_WEIGHTS) as packed, open(weights, "wb") as unpacked:
                shutil.copyfileobj(packed, unpacked, 2**20)
        with h5py.File(weights, "r") as datasets:
            return _Parts(config, weights, Counter(_read_shapes(datasets)))
    except ValueError as error:
        raise ValueError(f"{file.name}: {error}") from error
    except Exception as error:  # A broken archive or HDF5 file may raise anything.
        raise ValueError(f"{file.name} is no network that Keras wrote: {error}") from error


def _check_members(archive: zipfile.ZipFile, num_bytes: int) -> None:
    members = archive.infolist()
    names = sorted(member.filename for member in members)
    if names != sorted(_MEMBERS):
        raise ValueError(f"expected the members {sorted(_MEMBERS)}, got {names[:10]!r:.500}")
    for member in members:
        # Keras never compresses; so nothing can grow beyond the file itself.
        if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
            raise ValueError(f"{member.filename} is compressed: {member.compress_size} bytes of {member.file_size}")
    if sum(member.file_size for member in members) > num_bytes:
        raise ValueError("its members overlap")
    if any(member.file_size > _MOST_CONFIG_BYTES for member in members if member.filename != _WEIGHTS):
        raise ValueError(f"its {_CONFIG} or {_METADATA} is larger than {_MOST_CONFIG_BYTES / 2**20:.0f} MB")


def _parse(content: bytes) -> dict[str, Any]:
    value = parse_json(content)
    if not isinstance(value, dict):
        raise ValueError(f"expected an object in {_CONFIG} and {_METADATA}, got {type(value).__name__}")
    return value


def check_classes(config: dict[str, Any]) -> None:
    """Check that a model's config holds nothing but what networks of this project are made of.

    Args:
        config: of a functional model, as Keras writes it.

    Raises:
        ValueError: naming a class, key or number that none of them has.
    """
    waiting: list[Any] = [config]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            _check_class(part)
            waiting += (value for key, value in part.items() if key != "shared_object_id")  # an address in memory
        elif isinstance(part, list):
            waiting += part
        elif isinstance(part, int | float) and not abs(part) <= _LARGEST_NUMBER:
            raise ValueError(f"its {_CONFIG} has a number beyond {_LARGEST_NUMBER}")
    if config.get("class_name") != "Functional":
        raise ValueError(f"expected a functional model, got {config.get('class_name')!r:.80}")


def _check_class(part: dict[str, Any]) -> None:
    """Check what Keras would take for an object: it has a class, or a module that one could be imported from."""
    if not {"class_name", "module", "registered_name"} & set(part):
        return
    module, name, registered = (part.get(key) for key in ("module", "class_name", "registered_name"))
    if not isinstance(name, str) or name in _VALUES:
        is_known = isinstance(name, str) and module is None and registered is None
    elif registered == f"{_PACKAGE}>{name}":
        # Keras finds it by its registered name, so that a layer may move from one module of this package to another.
        is_known = isinstance(keras.saving.get_registered_object(registered), type) and str(module).startswith(
            f"{_PACKAGE}."
        )
    else:
        is_known = (module, name) in _KNOWN and registered in (None, name)
    if not is_known:
        raise ValueError(f"{module}.{name} is none of the classes that the networks of {_PACKAGE} are made of"[:300])
    if unknown := sorted(set(part) - _KEYS) if name not in _VALUES else []:
        raise ValueError(f"{name} has the unknown keys {unknown}"[:300])
    if part.get("compile_config"):
        raise ValueError(f"{name} is compiled")
    if name not in _MODELS and len(part.get("inbound_nodes") or ()) > 1:
        raise ValueError(f"{name} is used twice")


def _read_shapes(datasets: h5py.File) -> Iterator[Shape]:
    """Yield the shape of every dataset, after checking that it is an array of numbers in this very file."""
    links: dict[str, Any] = {}
    datasets.visititems_links(links.__setitem__)
    for name, link in links.items():
        if type(link) is not h5py.HardLink:
            raise ValueError(f"{_WEIGHTS}: {name!r:.80} is a link")
        found = datasets[name]
        if isinstance(found, h5py.Group):
            continue
        is_array = isinstance(found, h5py.Dataset) and found.dtype.kind in "fiub" and found.dtype.shape == ()
        if not is_array or found.external or found.is_virtual or found.id.get_create_plist().get_nfilters():
            raise ValueError(f"{_WEIGHTS}: {name!r:.80} is no array of numbers, or stands in another file")
        if found.id.get_storage_size() != found.nbytes:
            raise ValueError(
                f"{_WEIGHTS}: {name!r:.80} declares {found.nbytes} bytes and holds {found.id.get_storage_size()}"
            )
        yield found.shape


def _build(parts: _Parts) -> keras.Model:
    scope = keras.StatelessScope()  # In it, variables have shapes but no values.
    with scope:
        try:
            network = keras.saving.deserialize_keras_object(parts.config, safe_mode=True)
            expected = Counter(tuple(variable.shape) for variable in network.weights)
            if expected != parts.shapes:
                raise ValueError(f"its weights are not those of its network, {_differ(expected, parts.shapes)}")
            _check_sizes(network)
        except BaseException:
            scope.initialize_variables = False
            raise
    network.load_weights(parts.weights)
    return network


def _differ(expected: Counter[Shape], found: Counter[Shape]) -> str:
    missing, extra = (sorted((a - b).elements())[:3] for a, b in ((expected, found), (found, expected)))
    return f"of the shapes {missing} are missing and {extra} too many"


def _check_sizes(network: keras.Model) -> None:
    """Check the tensors between the layers, which are there for every row."""
    for operation in network.layers if isinstance(network, keras.Sequential) else network.operations:
        if isinstance(operation, keras.Model):
            _check_sizes(operation)
        for tensor in keras.tree.flatten(operation.output):
            sides = tensor.shape[1:]
            if None in sides or math.prod(sides) > _MOST_PER_ROW:
                raise ValueError(f"{operation.name} makes {tensor.shape} of a row, more than {_MOST_PER_ROW:,} numbers")
