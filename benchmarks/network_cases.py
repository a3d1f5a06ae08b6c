"""Ways to damage ONNX files. `benchmarks.fuzz_networks` runs them at length, the tests each attack once."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from benchmarks.mutations import mutate

SECRET = "secret"
"""Name of a file beside the bundle and the process. It is to hold what `hidden_numbers` returns, so that a bundle that
reads it predicts what it should, and is accepted."""

MANY = 2**33
"""Numbers that an attack asks memory for: 34 GB."""

Attack = Callable[[Any, Random], Any]


def _largest(graph: Any) -> Any:
    return max(graph.initializer, key=lambda tensor: len(tensor.raw_data))


def hidden_numbers(content: bytes) -> bytes:
    """Return the numbers of the weight that attacks read from another file."""
    return bytes(_largest(onnx.load_from_string(content).graph).raw_data)


def stored_elsewhere(location: str) -> Attack:
    """Have a weight read from another file."""

    def attack(model: Any, random: Random) -> None:
        _store(_largest(model.graph), location)

    return attack


def _store(tensor: Any, location: str) -> None:
    content = tensor.raw_data
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, "offset": "0", "length": str(len(content))}.items():
        tensor.external_data.add(key=key, value=value)


def constant_elsewhere(model: Any, random: Random) -> None:
    """Have a constant read from another file."""
    tensor = _largest(model.graph)
    model.graph.initializer.remove(tensor)
    inside = onnx.TensorProto()
    inside.CopyFrom(tensor)
    _store(inside, f"../{SECRET}")
    model.graph.node.insert(0, helper.make_node("Constant", [], [tensor.name], value=inside))


def claim(dims: list[int]) -> Attack:
    """Have a weight claim another shape than it has numbers for."""

    def attack(model: Any, random: Random) -> None:
        tensor = _largest(model.graph)
        tensor.dims[:] = dims

    return attack


def sparse(model: Any, random: Random) -> None:
    """Add a weight of which one number is kept, and which is 34 GB."""
    values = helper.make_tensor("sparse", TensorProto.FLOAT, [1], [1.0])
    places = helper.make_tensor("places", TensorProto.INT64, [1], [0])
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [MANY]))


def _add_zero(model: Any, nodes: list[Any], made: str, weights: dict[str, Any]) -> None:
    """Add nothing to the output, but by way of something that is made; ``made`` is a tensor of any shape."""
    graph = model.graph
    output = graph.output[0].name
    for node in graph.node:
        node.output[:] = ["before" if name == output else name for name in node.output]
        node.input[:] = ["before" if name == output else name for name in node.input]
    graph.initializer.extend(numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items())
    graph.initializer.append(numpy_helper.from_array(np.float32(0), "bomb_zero"))
    graph.node.extend(nodes)
    graph.node.append(helper.make_node("ReduceMin", [made], ["bomb_least"], keepdims=0))
    graph.node.append(helper.make_node("Mul", ["bomb_least", "bomb_zero"], ["bomb_nothing"]))
    graph.node.append(helper.make_node("Add", ["before", "bomb_nothing"], [output]))


def constant_of_shape(model: Any, random: Random) -> None:
    """Make a large array of nothing."""
    nodes = [helper.make_node("ConstantOfShape", ["bomb_shape"], ["bomb"])]
    _add_zero(model, nodes, "bomb", {"bomb_shape": np.array([MANY])})


def expand(model: Any, random: Random) -> None:
    """Repeat a number many times."""
    nodes = [helper.make_node("Expand", ["bomb_one", "bomb_shape"], ["bomb"])]
    _add_zero(model, nodes, "bomb", {"bomb_one": np.ones(1, "float32"), "bomb_shape": np.array([MANY])})


def doubling(model: Any, random: Random) -> None:
    """Put an array beside itself, again and again."""
    nodes = [helper.make_node("Concat", [f"bomb_{n}"] * 2, [f"bomb_{n + 1}"], axis=0) for n in range(33)]
    _add_zero(model, nodes, "bomb_33", {"bomb_0": np.ones(1, "float32")})


def outer_product(model: Any, random: Random) -> None:
    """Multiply a column by a row."""
    side = 2**17
    weights = {"bomb_column": np.ones((side, 1), "float32"), "bomb_row": np.ones((1, side), "float32")}
    _add_zero(model, [helper.make_node("MatMul", ["bomb_column", "bomb_row"], ["bomb"])], "bomb", weights)


def large_output(model: Any, random: Random) -> None:
    """Make the output itself large, and declare nothing of it."""
    graph = model.graph
    output = graph.output[0]
    output.type.tensor_type.ClearField("shape")
    for node in graph.node:
        node.output[:] = ["before" if name == output.name else name for name in node.output]
        node.input[:] = ["before" if name == output.name else name for name in node.input]
    graph.initializer.append(numpy_helper.from_array(np.array([1, MANY]), "bomb_shape"))
    graph.node.append(helper.make_node("Slice", ["before", "z", "o", "l"], ["bomb_first"]))
    graph.initializer.extend(
        numpy_helper.from_array(np.array([value]), name) for name, value in {"z": 0, "o": 1, "l": 1}.items()
    )
    graph.node.append(helper.make_node("Expand", ["bomb_first", "bomb_shape"], [output.name]))


def sudden_output(model: Any, random: Random) -> None:
    """Make the output large, by a shape that is computed from its numbers."""
    large_output(model, random)
    graph = model.graph
    (shape,) = (tensor for tensor in graph.initializer if tensor.name == "bomb_shape")
    graph.initializer.remove(shape)
    graph.initializer.append(numpy_helper.from_array(np.float32(0), "bomb_zero"))
    graph.initializer.append(numpy_helper.from_array(np.array([1, MANY], "float32"), "bomb_sides"))
    last = graph.node.pop()
    graph.node.extend(
        [
            helper.make_node("ReduceMax", ["before"], ["bomb_most"], keepdims=0),
            helper.make_node("Mul", ["bomb_most", "bomb_zero"], ["bomb_nothing"]),
            helper.make_node("Add", ["bomb_sides", "bomb_nothing"], ["bomb_floats"]),
            helper.make_node("Cast", ["bomb_floats"], ["bomb_shape"], to=TensorProto.INT64),
            last,
        ]
    )


def slow_products(model: Any, random: Random) -> None:
    """Multiply matrices for minutes."""
    nodes = [helper.make_node("Expand", ["bomb_one", "bomb_shape"], ["bomb_0"])]
    nodes += [helper.make_node("MatMul", [f"bomb_{n}", "bomb_0"], [f"bomb_{n + 1}"]) for n in range(2000)]
    weights = {"bomb_one": np.ones((1, 1), "float32"), "bomb_shape": np.array([1500, 1500])}
    _add_zero(model, nodes, "bomb_2000", weights)


def loop(model: Any, random: Random) -> None:
    """Loop for days."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Identity", ["state"], ["next"])],
        "body",
        [
            helper.make_tensor_value_info("number", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state", TensorProto.FLOAT, [1]),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, [1]),
        ],
    )
    nodes = [helper.make_node("Loop", ["bomb_times", "bomb_go", "bomb_one"], ["bomb"], body=body)]
    weights = {"bomb_times": np.array(2**60), "bomb_go": np.array(True), "bomb_one": np.ones(1, "float32")}
    _add_zero(model, nodes, "bomb", weights)


def nested(model: Any, random: Random) -> None:
    """Put graphs into each other."""
    inner = _leaf(0)
    for level in range(1, 21):
        name = f"level_{level}"
        node = helper.make_node("If", ["bomb_go"], [name], then_branch=inner, else_branch=_leaf(level))
        inner = helper.make_graph([node], "g", [], [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1])])
    nodes = [helper.make_node("If", ["bomb_go"], ["bomb"], then_branch=inner, else_branch=_leaf(21))]
    _add_zero(model, nodes, "bomb", {"bomb_go": np.array(True), "bomb_one": np.ones(1, "float32")})


def _leaf(level: int) -> Any:
    name = f"leaf_{level}"
    output = helper.make_tensor_value_info(name, TensorProto.FLOAT, [1])
    return helper.make_graph([helper.make_node("Identity", ["bomb_one"], [name])], "g", [], [output])


def chain(length: int) -> Attack:
    """Put so many operations one after the other."""

    def attack(model: Any, random: Random) -> None:
        nodes = [helper.make_node("Neg", [f"bomb_{n}"], [f"bomb_{n + 1}"]) for n in range(length)]
        _add_zero(model, nodes, f"bomb_{length}", {"bomb_0": np.ones(1, "float32")})

    return attack


def custom_domain(model: Any, random: Random) -> None:
    """Use an operator that is not ONNX' own."""
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    node = helper.make_node("Gelu", ["bomb_one"], ["bomb"], domain="com.microsoft")
    _add_zero(model, [node], "bomb", {"bomb_one": np.ones(1, "float32")})


def functions(model: Any, random: Random) -> None:
    """Have functions call each other twice, thirty deep."""
    opset = [helper.make_opsetid("", 18), helper.make_opsetid("bomb", 1)]
    for level in range(30):
        if level:
            call = [helper.make_node(f"f{level - 1}", [a], [b], domain="bomb") for a, b in (("x", "m"), ("m", "y"))]
        else:
            call = [helper.make_node("Neg", ["x"], ["y"])]
        model.functions.append(helper.make_function("bomb", f"f{level}", ["x"], ["y"], call, opset))
    model.opset_import.append(opset[1])
    node = helper.make_node("f29", ["bomb_one"], ["bomb"], domain="bomb")
    _add_zero(model, [node], "bomb", {"bomb_one": np.ones(1, "float32")})


def large_photo(model: Any, random: Random) -> None:
    """Have the input or the batch be larger than memory."""
    shape = model.graph.input[0].type.tensor_type.shape
    for place in (0,) if random.random() < 0.5 else (1, 2):
        if len(shape.dim) > place:
            shape.dim[place].ClearField("dim_param")
            shape.dim[place].dim_value = 2**30


def cycle(model: Any, random: Random) -> None:
    """Have an operation read what is made of it."""
    first = model.graph.node[0]
    first.input[0] = model.graph.node[-1].output[0]


ATTACKS: dict[str, Attack] = {
    **{
        f"a weight that stands in {location}": stored_elsewhere(location)
        for location in (f"../{SECRET}", SECRET, f"golden/../../{SECRET}", "/etc/passwd", "*/_ORT_MEM_ADDR_/*")
    },
    "a constant that stands in another file": constant_elsewhere,
    "a weight that claims 34 GB": claim([MANY]),
    "a weight that claims more than 64 bits count": claim([2**40, 2**40]),
    "a weight that claims to be of negative size": claim([-1, -4]),
    "a weight that is sparse": sparse,
    "an array of 34 GB": constant_of_shape,
    "a number repeated to 34 GB": expand,
    "an array that is doubled 33 times": doubling,
    "a product of 69 GB": outer_product,
    "an output of 34 GB": large_output,
    "an output of 34 GB that nobody announced": sudden_output,
    "products for minutes": slow_products,
    "a loop for days": loop,
    "graphs in graphs, 20 deep": nested,
    "a chain of 12,000 operations": chain(12_000),
    "a chain of 9,000 operations": chain(9_000),
    "an operator that is not ONNX' own": custom_domain,
    "functions that unfold to 2^29 operations": functions,
    "a photo, or a batch, larger than memory": large_photo,
    "a cycle": cycle,
}
"""What it is -> what does it to a model. None may be accepted and read a second file, or take long or much memory."""

_JUNK = (-(2**63), -(2**31), -2, -1, 0, 1, 2, 3, 7, 255, 65_536, 2**31 - 1, 2**31, 2**33, 2**62)


def damage(content: bytes, random: Random, donors: list[bytes]) -> bytes:
    """Damage an ONNX file: by an attack, by values of its graph, or by bytes."""
    way = random.random()
    if way < 0.25:
        return mutate(content, random, donors=donors)
    model = onnx.load_from_string(content)
    if way < 0.5:
        ATTACKS[random.choice([*ATTACKS])](model, random)
    for _ in range(random.choice((1, 1, 2, 5))):
        if way >= 0.5 or random.random() < 0.3:
            random.choice(_EDITS)(model.graph, random)
    return model.SerializeToString()


def _edit_operator(graph: Any, random: Random) -> None:
    names = [schema.name for schema in onnx.defs.get_all_schemas() if not schema.domain]
    random.choice(graph.node).op_type = random.choice(names)


def _edit_inputs(graph: Any, random: Random) -> None:
    node, other = random.choice(graph.node), random.choice(graph.node)
    name = random.choice([*other.input, *other.output, "", "x"])
    if node.input and random.random() < 0.7:
        node.input[random.randrange(len(node.input))] = name
    else:
        node.input.append(name)


def _edit_attribute(graph: Any, random: Random) -> None:
    attributes = [attribute for node in graph.node for attribute in node.attribute]
    if not attributes:
        return
    attribute = random.choice(attributes)
    if attribute.ints:
        attribute.ints[random.randrange(len(attribute.ints))] = random.choice(_JUNK)
    elif attribute.type == onnx.AttributeProto.INT:
        attribute.i = random.choice(_JUNK)
    else:
        attribute.type = random.randrange(15)


def _edit_weight(graph: Any, random: Random) -> None:
    tensor = random.choice(graph.initializer)
    change = random.randrange(4)
    if change == 0 and tensor.dims:
        tensor.dims[random.randrange(len(tensor.dims))] = random.choice(_JUNK)
    elif change == 1:
        tensor.data_type = random.randrange(24)
    elif change == 2:
        tensor.raw_data = tensor.raw_data[: random.randrange(len(tensor.raw_data) + 1)]
    elif tensor.data_type == TensorProto.INT64 and len(tensor.raw_data) >= 8:
        values = np.frombuffer(tensor.raw_data[: len(tensor.raw_data) // 8 * 8], "<i8").copy()
        values[random.randrange(len(values))] = random.choice(_JUNK)
        tensor.raw_data = values.tobytes()


def _edit_nodes(graph: Any, random: Random) -> None:
    node = random.choice(graph.node)
    if random.random() < 0.5:
        graph.node.remove(node)
    else:
        graph.node.add().CopyFrom(node)


def _edit_ports(graph: Any, random: Random) -> None:
    port = random.choice([*graph.input, *graph.output])
    dims = port.type.tensor_type.shape.dim
    if dims and random.random() < 0.7:
        dims[random.randrange(len(dims))].dim_value = random.choice(_JUNK)
    else:
        port.type.tensor_type.elem_type = random.randrange(24)


_EDITS = (_edit_operator, _edit_inputs, _edit_attribute, _edit_weight, _edit_nodes, _edit_ports)
