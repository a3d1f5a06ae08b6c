"""A mistyped option is exit code 2 before any data is read, and before Keras or TensorFlow starts."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys

import keras
import pytest
from reliability import Case, documented

from mixed_data.cli import main, make_parser
from mixed_data.cli import option_values as values
from mixed_data.cli.option_lists import NETWORK_OPTIONS, PREPROCESSING_OPTIONS
from mixed_data.estimator import MixedDataRegressor
from mixed_data.estimator.stacked_regressor import BRANCHES
from mixed_data.fusion import FUSIONS
from mixed_data.network import IMAGE_BRANCHES
from mixed_data.preprocessing import TargetTransformer
from mixed_data.preprocessing.backbone_options import is_network_file
from mixed_data.preprocessing.photo_decoding import RESIZE_POLICIES
from mixed_data.schema.bad_rows import BAD_ROW_POLICIES

BEST = "table, image, best, concat, weighted_sum"
SHARE, FROM_ONE = "a number from 0 and below 1", "a whole number from 1"
STUDY = {
    "--fusion": [("bogus", "'table', 'image', 'best', 'concat', 'weighted_sum'")],
    "--networks": [("table,bogus", BEST)],
    "--random-state": [("-1", "a whole number from 0 and below 2^32"), ("1.5", "a whole number")],
    "--image-branch": [("bogus", "'cnn', 'patches', 'pretrained'")],
    "--backbone": [("bogus", "ConvNeXtBase"), ("VGG16,bogus", "got 'bogus'")],
    "--backbone-scaling": [("bogus", "raw, unit, tf, torch, clip")],
    "--loss": [("bogus", "'mae', 'mse'")],
    "--target-transform": [("bogus", "'auto', 'log', 'identity'")],
    "--resize": [("bogus", "'crop', 'pad', 'stretch'")],
    "--log": [("bogus", "'auto', 'never'")],
    "--learning-rate": [("0", "a number above 0"), ("nan", "a number above 0"), ("inf", "a number above 0")],
    "--weight-decay": [("-1", "a number from 0")],
    "--patience": [("-1", "a whole number from 0")],
    **{
        f"--{name}": [("0", FROM_ONE), ("many", FROM_ONE)]
        for name in ("epochs", "units", "members", "batch-size", "image-size", "min-frequency")
    },
    **{
        f"--{name}": [("1", SHARE), ("-0.1", SHARE)]
        for name in ("dropout", "image-dropout", "modality-dropout", "validation-fraction")
    },
    "--jobs": [("0", "a whole number from 1, or -1 for one per core")],
}
DATA = {
    "--dataset": [("bogus", "'sample', 'houses', 'table'")],
    "--decimal": [(";", "'.', ','")],
    "--on-bad-row": [("bogus", "'error', 'skip', 'mask'")],
    "--rows": [("0", FROM_ONE)],
    "--seed": [("-1", "a whole number from 0")],
    "--photo-signal": [("-1", "a number from 0")],
}
BUNDLE = {name: DATA[name] for name in ("--decimal", "--on-bad-row")}
DASK = {"--dask": [("cluster:8786", "expected tcp://HOST:PORT or tls://HOST:PORT"), ("tcp://cluster", "expected tcp")]}
OUT = {"--out": [("none/out.csv", "there is no folder none"), (".", "is a folder")]}
WRONG = {
    "train": STUDY
    | DATA
    | DASK
    | {
        "--folds": [("1", "a whole number from 2, or 0"), ("-1", "from 2")],
        "--test-size": [("0", "a number above 0 and below 1"), ("1", "a number above 0 and below 1")],
        "--preset": [("bogus", "'best'")],
    },
    "compare": STUDY | DATA | DASK | {"--folds": [("1", "a whole number from 2")], "--repeats": [("0", FROM_ONE)]},
    "audit": DATA | OUT,
    "evaluate": BUNDLE | OUT,
    "predict": BUNDLE | DASK | OUT | {"--coverage": [("0", "above 0 and below 1"), ("2", "above 0"), ("1", "above 0")]},
}
CASES = [
    (command, option, value, expected)
    for command, options in WRONG.items()
    for option, cases in options.items()
    for value, expected in cases
]
ANYTHING = {"--data", "--schema", "--target", "--images", "--id", "--group", "--root", "--split", "--against"}
FOLDER_OR_FILE = {"--out", "--resume", "--image-weights"}


def required(command: str) -> list[str]:
    """Return what the command cannot do without, leading to nothing that exists."""
    if command not in ("evaluate", "predict"):
        return []
    return ["no bundle", "--data", "no.csv", *(["--out", "p.csv"] if command == "predict" else [])]


@pytest.fixture(autouse=True)
def _nothing_is_read(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in ("mixed_data.cli.command_inputs.read_data", "mixed_data.readers.table.read_file"):
        monkeypatch.setattr(name, lambda *_, **__: pytest.fail("data was read"))
    monkeypatch.setattr("mixed_data.cli.process_start.start_keras", lambda: pytest.fail("Keras was started"))


@pytest.mark.parametrize(("command", "option", "value", "expected"), CASES, ids=lambda part: str(part)[:24])
def test_a_value_that_cannot_be_is_exit_code_2_and_says_what_can(command, option, value, expected, capsys):
    with pytest.raises(SystemExit) as caught:
        main([command, *required(command), f"{option}={value}"])
    assert caught.value.code == 2
    printed = capsys.readouterr()
    last = printed.err.splitlines()[-1]
    assert f"argument {option}: " in last
    assert expected in last
    assert printed.out == ""


@pytest.mark.parametrize("command", WRONG)
def test_every_option_that_takes_a_value_has_a_wrong_one_here(command):
    (subparsers,) = (action for action in make_parser()._actions if action.dest == "==SUPPRESS==" or action.choices)
    actions = [action for action in subparsers.choices[command]._actions if action.option_strings]
    flags = {action.option_strings[0] for action in actions if action.nargs != 0}
    switches = {name for name in flags if isinstance(NETWORK_OPTIONS.get(key(name), (0,))[0], type)}
    switches |= {name for name in flags if isinstance(PREPROCESSING_OPTIONS.get(key(name), (0,))[0], type)}
    assert flags - switches - ANYTHING - FOLDER_OR_FILE - {"--tensorboard"} == set(WRONG[command]) - {"--out"}


def key(flag: str) -> str:
    return flag.removeprefix("--").replace("-", "_")


REFUSED = "exit code 2 before anything is read"
NEEDS_BRANCH = "the network 'best' needs --image-branch patches or pretrained"
EXCLUSIVE = [
    Case("--fusion best with photos read by a CNN", REFUSED, "train --fusion best", NEEDS_BRANCH),
    Case("--networks best with photos read by a CNN", REFUSED, "compare --networks best,table", NEEDS_BRANCH),
    Case("--preset best --image-branch cnn", REFUSED, "train --preset best --image-branch cnn", NEEDS_BRANCH),
    Case(
        "--montage with a branch that reads one photo at a time",
        REFUSED,
        "train --montage --image-branch patches",
        "--montage is for --image-branch cnn, not for patches",
    ),
    Case(
        "a scaling for a model of Keras, typed",
        REFUSED,
        "train --image-branch pretrained --backbone-scaling tf",
        "--backbone-scaling is for .keras",
    ),
    Case(
        "a backbone twice, typed",
        REFUSED,
        "train --image-branch pretrained --backbone VGG16,VGG16",
        "--backbone must name one",
    ),
    Case(
        "--schema and a role beside it",
        REFUSED,
        "train --dataset table --data no.csv --schema s --id x",
        "leave out --id",
    ),
    Case("an option of another data set", REFUSED, "audit --dataset houses --rows 9", "--rows is for --dataset sample"),
    Case("--split of the sample", REFUSED, "audit --split part", "--split and --against are for --dataset table"),
    Case("--json and --out -", REFUSED, "predict b --data no.csv --out - --json", "--json and --out - both write"),
    Case(
        "metrics into a Parquet file",
        REFUSED,
        "evaluate b --data no.csv --out m.parquet",
        "metrics are written as JSON",
    ),
    Case(
        "a backbone that is no file",
        REFUSED,
        "train --image-branch pretrained --backbone none.onnx",
        "--backbone: there is no file none.onnx",
    ),
    Case(
        "weights that are no file",
        REFUSED,
        "compare --image-weights none.weights.h5",
        "--image-weights: there is no file none.weights.h5",
    ),
    Case("--resume and another option", REFUSED, "train --resume run --epochs 3", "leave out --epochs"),
]


@documented("The command line", EXCLUSIVE)
def test_options_that_exclude_each_other_are_exit_code_2(case, capsys):
    assert main(case.given.split()) == 2
    assert case.expected in capsys.readouterr().err


def test_names_of_options_are_those_of_the_registries():
    assert tuple(FUSIONS) == values.FUSION_NAMES
    assert tuple(IMAGE_BRANCHES) == values.IMAGE_BRANCH_NAMES
    assert BRANCHES == values.STACK_BRANCH_NAMES
    assert BAD_ROW_POLICIES == values.BAD_ROW_NAMES
    assert PREPROCESSING_OPTIONS["resize"][0] == RESIZE_POLICIES
    functions = (name for name, value in vars(keras.applications).items() if inspect.isfunction(value))
    assert sorted(values.BACKBONE_NAMES) == sorted(functions)
    assert all(is_network_file(f"eye{ending}") for ending in values.BACKBONE_FILES)
    for name in values.LOSS_NAMES:
        keras.losses.get(name)
    for name in NETWORK_OPTIONS["target_transform"][0]:
        TargetTransformer(name).fit([1.0, 2.0])
    assert {"weighted_sum", "cnn"} <= {MixedDataRegressor().fusion, MixedDataRegressor().image_branch}


def test_a_mistyped_option_and_completion_import_neither_keras_nor_pandas():
    """What is in ``sys.modules`` after a mistake on each command, in one process."""
    code = (
        "import sys, json\nfrom mixed_data.cli import main, make_parser\nmake_parser()\n"
        "for words in json.loads(sys.argv[1]):\n"
        "    try: code = main(words)\n"
        "    except SystemExit as error: code = error.code\n"
        "    assert code == 2, (words, code)\n"
        "print([name for name in ('tensorflow', 'keras', 'sklearn', 'pandas', 'rich') if name in sys.modules])"
    )
    words = [[command, *required(command), f"{option}={value}"] for command, option, value, _ in CASES]
    words.append(["train", "--fusion", "best"])
    ran = subprocess.run(
        [sys.executable, "-c", code, json.dumps(words)], capture_output=True, text=True, check=False, cwd=PROJECT
    )
    assert ran.stdout.splitlines()[-1:] == ["[]"], ran.stderr[-2000:]


PROJECT = __file__.rsplit("/tests/", 1)[0]
