"""The command `info`: what a bundle is. Nothing of it is loaded, so that a stranger's is safe to ask about."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mixed_data.cli.command_output import Results


def add_info_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `info`."""
    parser.add_argument("bundle", type=Path, help="folder written by train")


def info(options: argparse.Namespace) -> Results:
    """Print what a bundle's manifest and schema say, after comparing every file with its digest.

    Raises:
        BundleError: the folder is no bundle, or was changed since it was saved.
    """
    from mixed_data.bundle.bundle_manifest import check_digests, list_files, read_manifest
    from mixed_data.bundle.comparable_rows import COMPARABLES_FILE

    manifest = read_manifest(options.bundle)
    check_digests(options.bundle, manifest)
    sizes = {name: (options.bundle / name).stat().st_size for name in list_files(options.bundle)}
    found = {
        "bundle": str(options.bundle),
        "kind": manifest["kind"],
        "format_version": manifest["version"],
        "created": manifest["created"],
        "about": manifest["about"],
        "schema": _read_schema(options.bundle),
        "metrics": manifest["metrics"],
        "metric_intervals": manifest["metric_intervals"],
        "fusion_weights": manifest["fusion_weights"],
        "parameters": manifest["regressor"].get("parameters", {}),
        "has_intervals": "intervals.json" in sizes,
        "has_comparables": COMPARABLES_FILE in sizes,
        "num_folds": len({name.split("/")[1] for name in sizes if name.startswith("folds/")}),
        "versions": manifest["versions"],
        "num_files": len(sizes),
        "bytes": sum(sizes.values()),
        "largest_files": dict(sorted(sizes.items(), key=lambda item: -item[1])[:5]),
    }
    _print_bundle(found)
    return found


def _read_schema(bundle: Path) -> dict[str, Any]:
    """Return the roles of the columns.

    Raises:
        BundleError: they cannot be read.
    """
    from mixed_data.bundle import BundleError
    from mixed_data.files.checked_json import read_json
    from mixed_data.schema import Schema

    try:
        return Schema.from_dict(read_json(bundle / "preprocessing.json")["tabular"]["schema"]).to_dict()
    except (ValueError, OSError, KeyError, TypeError, AttributeError) as error:
        raise BundleError(f"{bundle}: preprocessing.json has no schema that can be read: {error!s:.500}") from error


def _print_bundle(found: Mapping[str, Any]) -> None:
    from mixed_data.schema import Schema

    print(f"{found['bundle']}: a {found['kind']}, saved {found['created']}, format {found['format_version']}")
    for name, text in found["about"].items():
        if text:
            print(f"{name + ':':<14}{text}")
    print(f"\ncolumns\n{Schema.from_dict(found['schema']).explain()}")
    _print_metrics(found["metrics"], found["metric_intervals"])
    if weights := found["fusion_weights"]:
        print("learned weights: " + ", ".join(f"{name} {weight:.2f}" for name, weight in weights.items()))
    print("intervals: " + ("yes" if found["has_intervals"] else "none; it was trained without"))
    if found["num_folds"]:
        print(f"models of {found['num_folds']} folds are kept beside it")
    print("versions: " + ", ".join(f"{name} {version}" for name, version in found["versions"].items()))
    files = ", ".join(f"{name} {_write_bytes(size)}" for name, size in found["largest_files"].items())
    print(f"size: {_write_bytes(found['bytes'])} in {found['num_files']} files, the largest: {files}")


def _print_metrics(metrics: Mapping[str, float | None], intervals: Mapping[str, Any]) -> None:
    from mixed_data.metrics import METRICS

    if not metrics:
        print("\nscores: none; it was saved without")
        return
    print("\nscores on rows that it had not seen" + (", with 95 % intervals" if intervals else ""))
    for name, value in metrics.items():
        metric = METRICS.get(name)
        label, write = (metric.heading, metric.write) if metric else (name, str)
        low, high = intervals.get(name) or (None, None)
        ends = "" if low is None or high is None else f"  ({write(low)} to {write(high)})"
        print(f"  {label:<28}{write(value):>14}{ends}")


def _write_bytes(number: int) -> str:
    return f"{number / 1e6:.1f} MB" if number >= 100_000 else f"{number / 1e3:.1f} kB"
