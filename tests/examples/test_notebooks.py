"""The notebooks run from top to bottom, and are stored with the outputs of such a run."""

from __future__ import annotations

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import pytest
from estimator_helpers import one_step

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = {path.stem: path for path in sorted((ROOT / "examples").glob("*.ipynb"))}


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs_from_top_to_bottom(name, tmp_path, monkeypatch):
    """In this process, which has imported TensorFlow, and with one step per training; nothing asks what is learned."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    shown = []
    monkeypatch.setattr(plt, "show", lambda: shown.append(plt.gcf()) or plt.close("all"))
    notebook = nbformat.read(NOTEBOOKS[name], as_version=4)
    nbformat.validate(notebook)
    namespace: dict[str, object] = {"__name__": "a_notebook"}
    with one_step():
        for number, cell in enumerate(code_cells(notebook), start=1):
            exec(compile(cell.source, f"{name}, code cell {number}", "exec"), namespace)
    assert shown


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_is_stored_with_its_outputs_and_without_warnings(name):
    notebook = nbformat.read(NOTEBOOKS[name], as_version=4)
    counts = [cell.execution_count for cell in code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1)), "run it from top to bottom and store that"
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"] == []
    assert NOTEBOOKS[name].stat().st_size < 400_000


def test_the_notebooks_are_there():
    assert {"merging_models", "mixed_data_step_by_step", "tuning"} <= set(NOTEBOOKS)
