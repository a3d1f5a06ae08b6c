"""Repeated folds: identical for all models, the same in one process or several, and kept when a run is stopped."""

from __future__ import annotations

import json
import os

import joblib
import numpy as np
import pandas as pd
import pytest
from comparison_helpers import HOUSE_SCHEMA, NUM_HOUSES, Counter, make_table
from estimator_helpers import SCHEMA, eagerly, make_regressor
from joblib._parallel_backends import ThreadingBackend
from run_helpers import two_inner_folds
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

from mixed_data.cli.process_start import worker_processes
from mixed_data.estimator.out_of_fold import predict_out_of_fold
from mixed_data.evaluation.baselines import make_baselines
from mixed_data.evaluation.compared_models import Candidate, make_candidates
from mixed_data.evaluation.finished_fits import KEEP_NOTHING, FinishedFits
from mixed_data.evaluation.repeated_folds import Protocol, reseed, run_repeats
from mixed_data.metrics import regression_metrics
from mixed_data.preprocessing import MixedDataPreprocessor
from mixed_data.readers import READERS
from mixed_data.split import find_groups, k_fold

PROTOCOL = Protocol(repeats=2, folds=3, random_state=5)
THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


@pytest.fixture
def table(tmp_path_factory):
    return make_table(tmp_path_factory.mktemp("photos"))


@pytest.fixture
def candidates():
    return {name: Candidate(model) for name, model in make_baselines(HOUSE_SCHEMA, {}).items()}


@pytest.fixture
def counter():
    Counter.fits, Counter.fits_left = 0, 1_000
    return Candidate(Counter())


def run(table, candidates, folder=None, protocol=PROTOCOL, **options):
    fits = KEEP_NOTHING if folder is None else FinishedFits(folder)
    return run_repeats(table, HOUSE_SCHEMA, candidates, protocol, fits=fits, **options)


# --- what is held out -----------------------------------------------------------------------------------------------


def test_every_model_predicts_every_row_once_per_repeat_on_the_same_grouped_folds(table, candidates, tmp_path):
    predictions = run(table, candidates).evidence.predictions
    assert list(predictions["model"].unique()) == ["median", "ridge", "knn", "boosting"]
    expected = np.empty((2, NUM_HOUSES))
    for repeat in range(2):
        for fold, (_, rows) in enumerate(k_fold(find_groups(table, HOUSE_SCHEMA), 3, random_state=5 + repeat)):
            expected[repeat, rows] = fold
    for _, lines in predictions.groupby("model"):
        assert lines["repeat"].tolist() == np.repeat([0, 1], NUM_HOUSES).tolist()
        assert lines["row"].tolist() == [*range(NUM_HOUSES)] * 2
        assert lines["fold"].tolist() == expected.ravel().tolist()
    assert (expected[0] != expected[1]).any()
    assert (expected[:, 7] == expected[:, 8]).all()


def test_predictions_are_those_of_a_model_fitted_on_the_other_folds(table, candidates, tmp_path):
    predictions = run(table, {"ridge": candidates["ridge"]}).evidence.predictions
    training, held_out = k_fold(find_groups(table, HOUSE_SCHEMA), 3, random_state=6)[1]
    ridge = make_baselines(HOUSE_SCHEMA, {})["ridge"].fit(table.iloc[training], table["price"].iloc[training])
    lines = predictions[(predictions["repeat"] == 1) & (predictions["fold"] == 1)]
    assert lines["row"].tolist() == held_out.tolist()
    np.testing.assert_array_equal(lines["prediction"], ridge.predict(table.iloc[held_out]))


def test_the_comparison_is_the_mean_of_the_pooled_metrics_of_the_repeats(table, candidates, tmp_path):
    found = run(table, candidates)
    lines = found.evidence.predictions
    for entry in found.comparison:
        parts = [part for _, part in lines[lines["model"] == entry["model"]].groupby("repeat")]
        pooled = pd.DataFrame([regression_metrics(table["price"], part["prediction"]) for part in parts])
        for name in pooled:
            assert entry[name] == pytest.approx(pooled[name].mean())
        assert entry["mape_sd"] == pytest.approx(pooled["mape"].std(ddof=1))
        assert entry["rmse_log_sd"] == pytest.approx(pooled["rmse_log"].std(ddof=1))
        assert entry["seconds"] > 0
    assert entry["n"] == NUM_HOUSES


def test_a_metric_that_is_not_defined_in_one_repeat_is_none(table, tmp_path):
    class_of_seed = {"counter": Candidate(Counter(random_state=-100))}  # predicts 0 in repeat 0, and 1 in repeat 1
    Counter.fits_left = 1_000
    (entry,) = run(table, class_of_seed).comparison
    assert (entry["rmse_log"], entry["rmse_log_sd"]) == (None, None)
    assert entry["mape"] == pytest.approx(100, rel=0.01)
    (single,) = run(table, class_of_seed, protocol=Protocol(1, 3)).comparison
    assert single["mape_sd"] is None


def test_each_repeat_has_seeds_of_its_own(table, counter, tmp_path):
    found = run(table, {"counter": counter}, protocol=Protocol(3, 2))
    by_repeat = found.evidence.predictions.groupby("repeat")["prediction"].unique()
    assert [values.tolist() for values in by_repeat] == [[100.0], [101.0], [102.0]]
    nested = reseed(make_pipeline(Ridge(random_state=4), DummyRegressor()), 2)
    assert nested.get_params()["ridge__random_state"] == 6
    assert reseed(Ridge(random_state=None), 2).random_state is None


def test_learned_weights_are_kept_with_their_spread(table, counter, candidates, tmp_path):
    found = run(table, {"median": candidates["median"], "counter": counter})
    assert list(found.weights) == ["model", "repeat", "fold", "branch", "weight"]
    assert len(found.weights) == 6 * 2
    assert found.mean_weights == {"counter": {"tabular": {"mean": 0.25, "sd": 0.0}, "image": {"mean": 0.75, "sd": 0.0}}}


def test_what_prepares_the_table_sees_the_split_and_a_seed_per_fold(table, candidates, tmp_path):
    seen = []

    def swap(table, schema, split, seed):
        seen.append((schema, [len(rows) for rows in split], seed))
        return table.assign(price=1.0)

    found = run(table, {"ridge": Candidate(candidates["median"].estimator, swap)})
    assert [seed for _, _, seed in seen] == [[5, repeat, fold] for repeat in range(2) for fold in range(3)]
    assert {sum(sizes) for _, sizes, _ in seen} == {NUM_HOUSES}
    assert (found.evidence.predictions["prediction"] == 1.0).all()
    np.testing.assert_array_equal(found.evidence.target, table["price"])


def test_rows_that_share_a_photo_are_reported(table, candidates, tmp_path):
    found = run(table, {"median": candidates["median"]})
    (first, *_) = found.findings
    assert "house 7 = house 8: front.jpg" in str(first)
    assert found.evidence.groups[7] == found.evidence.groups[8]


def test_what_cannot_be_repeated_is_refused(table, candidates, tmp_path):
    for protocol, message in (
        (Protocol(0, 3), "repeats must be at least 1, got 0"),
        (Protocol(1, 1), "folds must be at least 2, got 1"),
        (Protocol(1, 45), "45 folds needs at least 45 groups"),
    ):
        with pytest.raises(ValueError, match=message):
            run(table, candidates, protocol=protocol)
    with pytest.raises(ValueError, match="area"):
        run(table.drop(columns="area"), candidates)


# --- in parallel ----------------------------------------------------------------------------------------------------


def test_predictions_do_not_depend_on_the_thread_that_fits(table, candidates, tmp_path):
    alone = run(table, candidates)
    with joblib.parallel_config("threading", n_jobs=2):
        together = run(table, candidates, tmp_path)
    pd.testing.assert_frame_equal(together.evidence.predictions, alone.evidence.predictions)


def look_around() -> tuple[int, list[str | None]]:
    return os.getpid(), [os.environ.get(name) for name in THREADS]


def test_workers_have_one_thread_start_quietly_and_predict_what_this_process_does(
    table, candidates, sales, tmp_path, monkeypatch, capfd
):
    """A comparison, and networks without a fold; all in one test, because such processes start slowly."""
    few = {name: candidates[name] for name in ("ridge", "boosting")}
    network = make_regressor(validation_fraction=0, modalities="tabular", members=2, epochs=1)
    splits = [(np.arange(8), np.arange(8, 16)), (np.arange(8, 16), np.arange(8))]
    arguments = (network, sales[:16], sales["price"][:16].to_numpy(), SCHEMA.without_images(), splits)
    for name in THREADS:
        monkeypatch.delenv(name, raising=False)
    before = dict(os.environ)
    capfd.readouterr()
    with worker_processes(2):
        seen = joblib.Parallel()(joblib.delayed(look_around)() for _ in range(2))
        compared, out_of_fold = run(table, few, tmp_path), predict_out_of_fold(*arguments)
    assert all(process != os.getpid() for process, _ in seen)
    assert [threads for _, threads in seen] == [["1", "1", "1"]] * 2
    assert dict(os.environ) == before
    assert capfd.readouterr().err == ""
    pd.testing.assert_frame_equal(compared.evidence.predictions, run(table, few).evidence.predictions)
    pd.testing.assert_frame_equal(out_of_fold, predict_out_of_fold(*arguments), check_exact=True)


class AllAtOnce(ThreadingBackend):
    """As Ray's backend, which gives no result before all are there."""

    supports_return_generator = False


def test_a_backend_that_gives_its_results_all_at_once_will_do(table, candidates, tmp_path):
    few = {"median": candidates["median"]}
    with joblib.parallel_config(AllAtOnce(), n_jobs=2):
        together = run(table, few)
    pd.testing.assert_frame_equal(together.evidence.predictions, run(table, few).evidence.predictions)


# --- going on -------------------------------------------------------------------------------------------------------


def test_a_run_that_was_stopped_goes_on_where_it_was(table, counter, tmp_path):
    Counter.fits_left = 4
    with pytest.raises(KeyboardInterrupt):
        run(table, {"a": counter, "b": counter}, tmp_path)
    assert Counter.fits == len(list(tmp_path.rglob("*.json"))) == 4
    Counter.fits_left = 1_000
    progress = []

    def on_progress(num_finished, num_fits, model):
        progress.append((num_finished, num_fits, model, Counter.fits))

    found = run(table, {"a": counter, "b": counter}, tmp_path, on_progress=on_progress)
    assert progress[0] == (4, 12, "", 4)
    assert progress[1:] == [(num, 12, "ab"[num % 2 == 0], num) for num in range(5, 13)]
    again = run(table, {"a": counter, "b": counter}, tmp_path)
    assert Counter.fits == 12
    pd.testing.assert_frame_equal(again.evidence.predictions, found.evidence.predictions)
    assert again.comparison == found.comparison
    assert again.mean_weights == found.mean_weights


def damage(path, how):
    content = json.loads(path.read_text())
    if how == "cut":
        path.write_bytes(path.read_bytes()[:-20])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "binary":
        path.write_bytes(b"\xff\xfe\x00")
    elif how == "list":
        path.write_text("[]")
    elif how == "gone":
        path.unlink()
    elif how.keys() & {"prediction", "upper"}:
        path.write_text(json.dumps({**content, "columns": {**content["columns"], **how}}))
    else:
        path.write_text(json.dumps({**content, **how}))


@pytest.mark.parametrize(
    "how",
    ["cut", "empty", "binary", "list", "gone", {"columns": {}}, {"rows": [1]}, {"fold": 1}, {"model": "b"}]
    + [{"seconds": None}, {"more": 1}, {"weights": [1]}, {"member_weights": "a"}]
    + [{"prediction": [1.0]}, {"prediction": [None] * 15}, {"upper": [2.0] * 15}],
    ids=str,
)
def test_a_damaged_or_foreign_file_is_no_finished_fit(table, counter, tmp_path, how):
    expected = run(table, {"a": counter}, tmp_path).evidence.predictions
    (path,) = (tmp_path / "repeat0-fold0").glob("a-*.json")
    damage(path, how)
    found = run(table, {"a": counter}, tmp_path)
    assert Counter.fits == 7
    pd.testing.assert_frame_equal(found.evidence.predictions, expected)
    assert run(table, {"a": counter}, tmp_path).comparison == found.comparison
    assert Counter.fits == 7


def test_a_file_that_was_being_written_is_left_alone(table, counter, tmp_path):
    run(table, {"a": counter}, tmp_path)
    (tmp_path / "repeat0-fold0" / ".a-fold0.json.123.tmp").write_text("{")
    run(table, {"a": counter}, tmp_path)
    assert Counter.fits == 6


def test_models_whose_names_look_alike_have_files_of_their_own(table, candidates, tmp_path):
    few = {"without a/b": candidates["median"], "without a b": candidates["ridge"]}
    predictions = run(table, few, tmp_path).evidence.predictions
    assert predictions.groupby("model")["prediction"].nunique()["without a b"] > 6
    assert len(list(tmp_path.rglob("*.json"))) == 12
    assert run(table, few, tmp_path).evidence.predictions.equals(predictions)


# --- networks -------------------------------------------------------------------------------------------------------


def test_networks_run_with_a_placebo_that_is_another_network_than_the_main_one(tmp_path):
    table, schema = READERS["sample"](tmp_path, rows=30)
    options = {"preprocessor": MixedDataPreprocessor(schema, image_size=16), "epochs": 1, "units": 4}
    everything = make_candidates(schema, options, networks=[], main="weighted_sum", views=False)
    candidates = {name: everything[name] for name in ("weighted_sum", "placebo")}
    with eagerly(), two_inner_folds():
        found = run_repeats(table, schema, candidates, Protocol(1, 2))
    main, placebo = (
        part["prediction"].to_numpy() for _, part in found.evidence.predictions.groupby("model", sort=False)
    )
    assert np.isfinite(main).all()
    assert (np.abs(main / placebo - 1) > 1e-6).mean() > 0.9
    assert set(found.mean_weights) == {"weighted_sum", "placebo"}
    assert sum(weight["mean"] for weight in found.mean_weights["weighted_sum"].values()) == pytest.approx(1)
