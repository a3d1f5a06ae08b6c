"""The house of docs/design.md: imports go one way, nothing above the Keras line starts Keras, and no pickle."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "mixed_data"
KERAS_LINE = "---- Keras line ----"
ROOMS = [
    *["__version__", "files", "metrics", "schema"],
    *["split", "readers", "preprocessing"],
    *["boosting", "kernels", "intervals", "audit", "prediction", "bundle", "explain", "runtime"],
    KERAS_LINE,
    *["members", "fusion", "network", "estimator"],
    *["evaluation", "report", "runs", "serving", "export", "cli", "__main__"],
    "__init__",  # the face names what is below it; of the house, only __version__ may be asked of it
]
ABOVE_THE_LINE = ROOMS[: ROOMS.index(KERAS_LINE)]
REGISTRIES = {
    "READERS": "readers",
    "FUSIONS": "fusion",
    "IMAGE_BRANCHES": "network",
    "KINDS": "estimator",
    "EXPORTERS": "export",
}
MAX_LINES = 350
PICKLE_MODULES = {"pickle", "_pickle", "cloudpickle", "dill", "shelve", "marshal"}
FORBIDDEN_NAMES = {"eval", "exec", "__import__"}
FORBIDDEN_ATTRIBUTES = {"read_pickle", "to_pickle", "enable_unsafe_deserialization", "import_module"}
FORBIDDEN_FROM_JOBLIB = {"dump", "load", "Memory"}

SOURCES = {path.relative_to(PACKAGE).as_posix(): path.read_text("utf-8") for path in sorted(PACKAGE.rglob("*.py"))}


def room_of(file: str) -> str:
    """Return the room of a file: "readers" for "readers/table.py", "metrics" for "metrics.py"."""
    return file.split("/")[0].removesuffix(".py")


def imports_of(source: str) -> Iterator[str]:
    """Yield every imported module, in full, also those inside functions."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise AssertionError(f"line {node.lineno}: write relative imports in full")
            yield from (f"{node.module}.{name.name}" for name in node.names)


def rooms_entered(source: str) -> Iterator[str]:
    """Yield the rooms that a file of the package imports from."""
    for module in imports_of(source):
        package, _, rest = module.partition(".")
        if package == "mixed_data":
            room = rest.split(".")[0]
            yield room if room in ROOMS else "__init__"


def wrong_way(file: str, source: str) -> list[str]:
    """List the imports of a file that go up the house instead of down."""
    here = room_of(file)
    return [
        f"{file} imports {room}, which stands below it"
        for room in rooms_entered(source)
        if ROOMS.index(room) > ROOMS.index(here)
    ]


def keras_imports(source: str) -> list[str]:
    return [module for module in imports_of(source) if module.split(".")[0] in ("keras", "tensorflow", "tf_keras")]


def forbidden(file: str, source: str) -> Iterator[str]:
    """Yield what executes strangers' data, or prints outside the command line."""
    for module in imports_of(source):
        first, _, rest = module.partition(".")
        if first in PICKLE_MODULES or (first == "joblib" and rest.split(".")[-1] in FORBIDDEN_FROM_JOBLIB):
            yield f"{file} imports {module}"
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", None) or getattr(node.func, "attr", None)
            is_attribute = isinstance(node.func, ast.Attribute)
            if name in (FORBIDDEN_ATTRIBUTES if is_attribute else FORBIDDEN_NAMES):
                yield f"{file}:{node.lineno} calls {name}"
            if name == "print" and not is_attribute and room_of(file) != "cli":
                yield f"{file}:{node.lineno} prints; log it, or print it in mixed_data/cli"
            for keyword in node.keywords:
                value = getattr(keyword.value, "value", None)
                if (keyword.arg, value) in {("allow_pickle", True), ("safe_mode", False)}:
                    yield f"{file}:{node.lineno} sets {keyword.arg}={value}"


@pytest.mark.parametrize("file", SOURCES)
def test_every_file_stands_in_a_room_and_is_short_enough_to_read(file):
    assert room_of(file) in ROOMS, f"{file}: give it a place in docs/design.md and in ROOMS"
    assert "datasets" not in file, "that name would shadow a well-known library"
    assert len(SOURCES[file].splitlines()) < MAX_LINES, "split the file"


def test_no_file_name_stands_in_two_rooms():
    names = sorted(name for file in SOURCES if (name := file.rsplit("/", 1)[-1]) not in ("__init__.py", "__main__.py"))
    assert [name for name, following in pairwise(names) if name == following] == []


def test_imports_go_down_the_house_only():
    assert [problem for file, source in SOURCES.items() for problem in wrong_way(file, source)] == []


def test_the_service_enters_no_room_that_trains():
    training = set(ROOMS[ROOMS.index(KERAS_LINE) : ROOMS.index("serving")])
    entered = {room for file in SOURCES if room_of(file) == "serving" for room in rooms_entered(SOURCES[file])}
    assert "runtime" in entered
    assert entered & training == set()


def test_nothing_above_the_keras_line_imports_keras_and_only_the_exports_tensorflow():
    imports = {file: keras_imports(source) for file, source in SOURCES.items()}
    assert [file for file, modules in imports.items() if modules and room_of(file) in ABOVE_THE_LINE] == []
    others = {
        file: [module for module in modules if not module.startswith("keras")] for file, modules in imports.items()
    }
    exports = ["export/tensorflow_graph.py", "network/onnx_export.py"]
    assert {file: modules for file, modules in others.items() if modules} == {file: ["tensorflow"] for file in exports}


def test_nothing_executes_data_or_prints_outside_the_command_line():
    assert [problem for file, source in SOURCES.items() for problem in forbidden(file, source)] == []


@pytest.mark.parametrize("name", REGISTRIES)
def test_a_registry_is_a_plain_dict_that_shows_all_its_entries(name):
    tree = ast.parse(SOURCES[f"{REGISTRIES[name]}/__init__.py"])
    assigned = {
        ast.unparse(target): node.value
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
    }
    registry = assigned[name]
    assert isinstance(registry, ast.Dict)
    keys = [ast.literal_eval(key) for key in registry.keys if key is not None]
    assert len(set(keys)) == len(registry.keys) > 0, "write every entry out, once"
    assert all(isinstance(value, ast.Name) for value in registry.values), "name a class or a function"
    elsewhere = re.compile(rf"\b{name}\b(\[[^]]*\] *=[^=]|\.(update|setdefault|pop)\()")
    assert [file for file, source in SOURCES.items() if elsewhere.search(source)] == []


@pytest.mark.parametrize(
    ("file", "source", "problem"),
    [
        (
            "files/locks.py",
            "from mixed_data.schema import Schema",
            "files/locks.py imports schema, which stands below it",
        ),
        ("readers/table.py", "import mixed_data.audit", "readers/table.py imports audit, which stands below it"),
        (
            "network/a.py",
            "def f():\n    from mixed_data import runs",
            "network/a.py imports runs, which stands below it",
        ),
        (
            "bundle/a.py",
            "def f():\n    from mixed_data.estimator import load",
            "bundle/a.py imports estimator, which stands below it",
        ),
        ("readers/table.py", "from mixed_data import Schema", "readers/table.py imports __init__"),
        ("run.py", "import pickle", "run.py imports pickle"),
        ("run.py", "from joblib import dump", "run.py imports joblib.dump"),
        ("run.py", "if x:\n    eval(x)", "run.py:2 calls eval"),
        ("run.py", "pd.read_pickle(x)", "run.py:1 calls read_pickle"),
        ("run.py", "load_model(x, safe_mode=False)", "run.py:1 sets safe_mode=False"),
        ("run.py", "print(1)", "run.py:1 prints"),
    ],
)
def test_these_tests_notice(file, source, problem):
    found = [*wrong_way(file, source), *forbidden(file, source)]
    assert len(found) == 1
    assert found[0].startswith(problem)


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("estimator/a.py", "def f():\n    from mixed_data.bundle import load_bundle"),
        ("schema.py", "from mixed_data import __version__\nfrom mixed_data.schema.cell_values import is_missing"),
        ("cli/commands.py", "print(1)\nregressor.model.eval()"),
    ],
)
def test_these_tests_let_pass_what_is_fine(file, source):
    assert [*wrong_way(file, source), *forbidden(file, source), *keras_imports(source)] == []
    assert keras_imports("def f():\n    import keras.ops") == ["keras.ops"]


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"]], ids=" ".join)
def test_help_answers_without_starting_keras(arguments):
    command = [sys.executable, "-X", "importtime", "-m", "mixed_data", *arguments]
    result = subprocess.run(command, cwd=PACKAGE.parent, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr[-2000:]
    assert result.stdout.startswith("usage: python -m mixed_data")
    assert re.search(r"\| +mixed_data\.cli$", result.stderr, re.MULTILINE), "the list of imports is there"
    assert not re.search(r"\| +(keras|tensorflow)$", result.stderr, re.MULTILINE)


def test_no_module_above_the_keras_line_starts_keras_by_way_of_a_library():
    names = [file.removesuffix(".py").replace("/", ".") for file in SOURCES if room_of(file) in ABOVE_THE_LINE]
    modules = ", ".join(f"mixed_data.{name}" for name in names if not name.endswith("__init__"))
    code = f"import sys\nimport {modules}\nprint({{'keras', 'tensorflow'}} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], cwd=PACKAGE.parent, capture_output=True, text=True)
    assert result.stdout == "set()\n", result.stderr
