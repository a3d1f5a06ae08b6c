"""The command that says why rows are predicted as they are. No Keras is needed."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mixed_data.cli.bundle_commands import add_bundle_arguments, open_data
from mixed_data.cli.command_output import STANDARD, Results
from mixed_data.cli.option_lists import COVERAGE_OPTION
from mixed_data.cli.option_values import UsageError, read_out_folder, read_positions

if TYPE_CHECKING:
    import pandas as pd

    from mixed_data.explain.explanations import Explanation
    from mixed_data.files.written_values import Unit
    from mixed_data.runtime import Predictor

MOST_ROWS = 50
"""That are explained where nobody says which."""

_REASONS_FILE = "reasons.json"


def add_explain_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `explain`."""
    add_bundle_arguments(parser)
    parser.add_argument(
        "--rows",
        type=read_positions,
        metavar="N[,N...]",
        help="positions of the rows in the file, the first one is 0, as in the lines of predict and in the files "
        f"written; default: all rows, of at most {MOST_ROWS}",
    )
    parser.add_argument(
        "--out",
        type=read_out_folder,
        required=True,
        metavar="DIR",
        help=f"folder for {_REASONS_FILE} and a picture per row (row_3.png); what has these names there is replaced",
    )
    parser.add_argument("--coverage", **COVERAGE_OPTION)
    parser.add_argument(
        "--heat-maps",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="say where in each photo the prediction comes from, which takes most of the time; default: yes",
    )


def explain(options: argparse.Namespace) -> Results:
    """Explain rows into a folder: all of it as JSON, and a picture per row."""
    if str(options.out) == STANDARD:
        raise UsageError("--out is a folder here; pictures do not go to standard output")
    from mixed_data.files.checked_json import make_plain, write_json
    from mixed_data.files.progress import track
    from mixed_data.files.written_values import Unit
    from mixed_data.readers.table import read_checked_rows
    from mixed_data.runtime import Predictor
    from mixed_data.schema.bad_cells import RowNames

    predictor = Predictor(options.bundle)
    schema = predictor.schema
    with open_data(options) as how:
        checked = read_checked_rows(schema=schema, **how)
    table, lines = checked.table, checked.lines
    chosen = _choose_rows(options.rows, len(table))
    names = RowNames(table.get(schema.id), lines)
    unit = Unit.of(schema.target or "target", predictor.manifest["about"])
    options.out.mkdir(exist_ok=True)
    written: list[dict[str, Any]] = []
    for row in track(chosen, "explaining", len(chosen)):
        entry = {"row": row, "line": None if lines is None else lines[row]}
        entry["id"] = table[schema.id].iloc[row] if schema.id in table else None
        notes = checked.notes.get(row, [])
        if checked.is_skipped[row]:
            written.append({**entry, "skipped": "; ".join(notes)})
            print(f"{names.of(row)}: skipped: {'; '.join(notes)}")
            continue
        found = _explain_row(predictor, table.iloc[[row]], notes, options.coverage)
        heat = _draw_heat(predictor, table.iloc[[row]], found) if options.heat_maps else []
        picture = options.out / f"row_{row}.png"
        _write_picture(
            picture, predictor, table.iloc[[row]], found, unit, f"{options.data.name}, {names.of(row)}", heat
        )
        written.append({**entry, "picture": picture.name, "reasons": found.to_dict(), "heat_maps": heat})
        print(f"{names.of(row)}: {_summarise(found, unit)}")
    about = {"bundle": options.bundle, "data": options.data, "target": schema.target, "unit": predictor.unit}
    write_json(
        options.out / _REASONS_FILE,
        make_plain({**{name: about[name] and str(about[name]) for name in about}, "rows": written}),
    )
    explained = [entry for entry in written if "reasons" in entry]
    print(f"{len(explained)} rows explained in {options.out}: {_REASONS_FILE}, and a picture for each")
    return {
        "folder": options.out,
        "reasons": options.out / _REASONS_FILE,
        "pictures": [options.out / entry["picture"] for entry in explained],
        "num_explained": len(explained),
        "num_skipped": len(written) - len(explained),
        "num_warnings": sum(bool(entry["reasons"]["warnings"]) for entry in explained),
        "coverage": options.coverage if predictor.has_intervals else None,
    }


def _choose_rows(asked: Sequence[int] | None, num_rows: int) -> Sequence[int]:
    """Return the positions of the rows to explain.

    Raises:
        ValueError: one is not there, or nobody chose among many.
    """
    if asked is None:
        if num_rows > MOST_ROWS:
            raise ValueError(
                f"the table has {num_rows:,} rows, and each takes seconds; name those to explain, such as --rows 0,1,2 "
                f"(without, at most {MOST_ROWS} are)"
            )
        return range(num_rows)
    if beyond := [row for row in asked if row >= num_rows]:
        last = f"the last of {num_rows:,} is {num_rows - 1}" if num_rows else "the table has none"
        raise ValueError(f"--rows {beyond[0]}: there is no such row; they are counted from 0, and {last}")
    return asked


def _explain_row(predictor: Predictor, table: pd.DataFrame, notes: Sequence[str], coverage: float) -> Explanation:
    """Explain a row; what was wrong with its cells stands before its other warnings."""
    from dataclasses import replace

    (found,) = predictor.explain(table, coverage)
    return replace(found, warnings=[*notes, *found.warnings])


def _draw_heat(predictor: Predictor, table: pd.DataFrame, found: Explanation) -> list[dict[str, Any]]:
    """Return the heat map of each photo that the row has, as `Heat` says it."""
    maps = []
    for part in found.views:
        if part.present:
            heat = predictor.heat_map(table, part.name)
            texts = {"view": part.name, "trustworthy": heat.trustworthy, "text": heat.text}
            maps.append({**texts, "values": heat.values.tolist()})
    return maps


def _write_picture(
    path: Path,
    predictor: Predictor,
    table: pd.DataFrame,
    found: Explanation,
    unit: Unit,
    name: str,
    heat: Sequence[dict[str, Any]],
) -> None:
    import numpy as np

    from mixed_data.explain.heat_pictures import paint_heat, show_photo
    from mixed_data.explain.reason_pictures import PHOTO_SIDE, draw_reasons
    from mixed_data.files.whole_files import replacing

    present = [part.name for part in found.views if part.present]
    photos = {view: show_photo(predictor.model, table, view, PHOTO_SIDE) for view in present}
    painted = {
        one["view"]: paint_heat(photos[one["view"]], np.array(one["values"])) if one["trustworthy"] else None
        for one in heat
    }
    with replacing(path) as temporary:
        draw_reasons(found, unit, name, photos, painted).save(temporary, "PNG")


def _summarise(found: Explanation, unit: Unit) -> str:
    from mixed_data.explain.reason_pictures import write_effect

    parts = ", ".join(f"{part.name} {write_effect(part, unit)}" for part in found.modalities)
    return f"{unit.exact(found.prediction)} ({parts}, from {unit.exact(found.reference.value)})"
