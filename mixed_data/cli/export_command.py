"""The command that writes a bundle in a form that other runtimes read."""

from __future__ import annotations

import argparse
from pathlib import Path

from mixed_data.cli.command_output import Results
from mixed_data.cli.option_values import EXPORT_FORMATS


def add_export_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `export`."""
    parser.add_argument("bundle", type=Path, help="folder written by train")
    parser.add_argument(
        "--format",
        choices=EXPORT_FORMATS,
        required=True,
        help="one ONNX file; a SavedModel for TensorFlow Serving; a LiteRT file; an MLflow model with intervals",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write; empty, or not there")


def export(options: argparse.Namespace) -> Results:
    """Write a bundle in another form, after comparing what it predicts there."""
    from mixed_data.cli.process_start import start_keras
    from mixed_data.export import export_bundle

    if options.format in ("saved_model", "litert"):
        start_keras()
    found = export_bundle(options.bundle, options.format, options.out)
    names = {part: ", ".join(one["name"] for one in found[part]) for part in ("inputs", "outputs")}
    print(f"{options.out}: reads {names['inputs']}; gives {names['outputs']}")
    print(f"its golden rows differ by {found['largest_difference']:.0e}; how to use it: {options.out / 'README.md'}")
    return {"out": options.out, **found}
