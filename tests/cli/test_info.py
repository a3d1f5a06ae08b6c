"""What ``info`` says of a bundle, without loading it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

from mixed_data.cli import main


@pytest.fixture
def bundle(hold_out_run):
    return hold_out_run.folder / "bundle"


def test_it_says_what_the_manifest_and_the_schema_say(bundle, hold_out_run, capsys):
    manifest = json.loads((bundle / "manifest.json").read_text("utf-8"))
    assert main(["info", str(bundle), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {"mape", "rmse"} <= set(found["metric_intervals"]) < set(found["metrics"])
    for name, (low, high) in found["metric_intervals"].items():
        assert low < found["metrics"][name] < high
    for name in ("kind", "created", "about", "metrics", "metric_intervals", "fusion_weights", "versions"):
        assert found[name] == manifest[name]
    assert found["format_version"] == manifest["version"]
    assert found["parameters"]["fusion"] == "weighted_sum"
    assert (found["schema"]["target"], found["schema"]["codes"]) == ("price", ["zipcode"])
    assert found["num_files"] == len(manifest["files"]) + 1
    assert found["bytes"] == sum(file.stat().st_size for file in bundle.rglob("*") if file.is_file())
    assert (found["has_intervals"], found["num_folds"]) == (True, 0)


def test_it_says_the_same_in_words(bundle, capsys):
    manifest = json.loads((bundle / "manifest.json").read_text("utf-8"))
    assert main(["info", str(bundle)]) == 0
    text = capsys.readouterr().out
    assert f"a network, saved {manifest['created']}" in text
    assert "area [m2]" in text
    low, high = manifest["metric_intervals"]["mape"]
    (line,) = (line.split() for line in text.splitlines() if "  MAPE, %" in line)
    assert line[2:] == [f"{manifest['metrics']['mape']:,.1f}", f"({low:,.1f}", "to", f"{high:,.1f})"]
    assert "intervals: yes" in text
    assert f"keras {manifest['versions']['keras']}" in text
    assert manifest["about"]["command"] in text


def test_it_counts_the_models_of_folds(folds_run, capsys):
    assert main(["info", str(folds_run.folder / "bundle")]) == 0
    text = capsys.readouterr().out
    assert "models of 2 folds" in text
    assert "intervals: none" in text


def test_a_bundle_that_was_changed_is_exit_code_1(bundle, tmp_path, capsys):
    copy = shutil.copytree(bundle, tmp_path / "bundle")
    (copy / "target.json").write_text("{}")
    assert main(["info", str(copy)]) == 1
    assert "changed since it was saved: target.json" in capsys.readouterr().err


def test_it_needs_no_keras_and_no_scikit_learn(bundle):
    code = (
        "import sys\nfrom mixed_data.cli import main\nassert main(['info', sys.argv[1], '--quiet']) == 0\n"
        "print([name for name in ('tensorflow', 'keras', 'sklearn', 'scipy', 'rich') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code, str(bundle)], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"
