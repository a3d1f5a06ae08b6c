"""Baselines are plain scikit-learn, and every model is scored on every held-out row exactly once."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from reliability import Case, documented
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import RidgeCV

from mixed_data.boosting.level_text import CodeOrder, read_levels
from mixed_data.estimator import StackedRegressor
from mixed_data.evaluation.baselines import make_baselines
from mixed_data.evaluation.held_out_scores import evaluate_held_out, make_networks
from mixed_data.fusion import FUSIONS
from mixed_data.metrics import regression_metrics
from mixed_data.preprocessing import MixedDataPreprocessor, TabularPreprocessor
from mixed_data.schema import Schema
from mixed_data.split import k_fold

SCHEMA = Schema(target="price", numeric=["area"], categorical=["style"], images=["front"])
NUM_ROWS = 60


@pytest.fixture
def table() -> pd.DataFrame:
    random = np.random.default_rng(0)
    area = random.uniform(50, 250, NUM_ROWS)
    table = pd.DataFrame({"area": area, "style": random.choice(["loft", "ranch"], NUM_ROWS), "front": None})
    table["price"] = 1_000 * area * np.exp(random.normal(0, 0.9, NUM_ROWS))
    return table.set_index(np.arange(100, 100 + NUM_ROWS))


class Recorder(RegressorMixin, BaseEstimator):
    """Predicts 1 plus the area, and lists in ``fits`` the areas and targets that it was fitted on."""

    fits: list[tuple[list[float], list[float]]] = []  # noqa: RUF012 - shared by all clones on purpose

    def fit(self, X, y):
        self.fits.append((X["area"].tolist(), y.tolist()))
        return self

    def predict(self, X):
        return 1 + X["area"].to_numpy()


def test_the_median_baseline_predicts_the_median_of_the_training_rows(table):
    median = make_baselines(SCHEMA, {})["median"].fit(table[:31], table["price"][:31])
    np.testing.assert_array_equal(median.predict(table[31:]), np.full(29, table["price"][:31].median()))


def test_the_ridge_baseline_is_ridge_on_the_networks_features_and_standardised_log_target(table):
    training, held_out = table[:40], table[40:]
    ridge = make_baselines(SCHEMA, {})["ridge"].fit(training, training["price"])
    features = TabularPreprocessor(SCHEMA).fit(training)
    log = np.log(training["price"])
    plain = RidgeCV(alphas=(0.1, 1.0, 10.0, 100.0)).fit(
        features.transform(training), (log - log.mean()) / log.std(ddof=0)
    )
    expected = np.exp(plain.predict(features.transform(held_out)) * log.std(ddof=0) + log.mean())
    np.testing.assert_allclose(ridge.predict(held_out), expected, rtol=1e-6)


def test_without_tabular_columns_there_is_only_the_median():
    assert list(make_baselines(SCHEMA, {})) == ["median", "ridge", "knn", "boosting"]
    assert list(make_baselines(SCHEMA.only_images(), {})) == ["median"]


def test_the_knn_baseline_weighs_the_five_nearest_rows_by_their_distance(table):
    training, held_out = table[:40], table[40:]
    knn = make_baselines(SCHEMA, {})["knn"].fit(training, training["price"])
    preprocessor = TabularPreprocessor(SCHEMA).fit(training)
    features, new = preprocessor.transform(training), preprocessor.transform(held_out)
    distances = np.linalg.norm(new[:, None] - features, axis=2)
    nearest = np.argsort(distances, axis=1)[:, :5]
    weights = 1 / np.take_along_axis(distances, nearest, axis=1)
    logs = np.log(training["price"].to_numpy())[nearest]
    expected = np.exp((weights * logs).sum(axis=1) / weights.sum(axis=1))
    np.testing.assert_allclose(knn.predict(held_out), expected, rtol=1e-4)


@pytest.mark.parametrize(
    "roles",
    [
        {"numeric": ["area"]},
        {"categorical": ["style"]},
        {"codes": ["zipcode"]},
        {"numeric": ["area"], "codes": ["zipcode"]},
    ],
    ids=str,
)
def test_boosting_reads_every_kind_of_column_also_unseen_and_missing_levels(table, roles):
    table["zipcode"] = np.where(np.arange(NUM_ROWS) % 2, 85255, 90011)
    schema = Schema(target="price", images=["front"], **roles)
    boosting = make_baselines(schema, {"random_state": 3})["boosting"].fit(table, table["price"])
    new = table[:3].astype({"zipcode": object, "style": object})
    new.loc[new.index[0], ["zipcode", "style"]] = [99999, "castle"]
    new.loc[new.index[1], ["area", "zipcode", "style"]] = None
    predictions = boosting.predict(new)
    assert np.isfinite(predictions).all()
    assert (predictions > 0).all()
    (*_, (_, trees)) = boosting.regressor.steps
    assert trees.random_state == 3


def test_boosting_learns_what_depends_on_a_level_and_the_same_again_with_the_same_seed(table):
    table["zipcode"] = np.arange(NUM_ROWS) % 4 + 85255
    table["price"] = np.exp(table["zipcode"] % 4) * 1_000
    schema = Schema(target="price", codes=["zipcode"])
    models = [make_baselines(schema, {})["boosting"].fit(table[:48], table["price"][:48]) for _ in range(2)]
    first, again = (model.predict(table[48:]) for model in models)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_allclose(first, table["price"][48:], rtol=0.1)


def test_boosting_knows_an_unseen_code_by_its_neighbours(table):
    table["zipcode"] = 85200 + np.arange(NUM_ROWS)  # all of one region, and each seen once
    table["price"] = np.where(table["zipcode"] < 85230, 1_000.0, 9_000.0)
    is_new = table["zipcode"].isin([85210, 85250])
    boosting = make_baselines(Schema(target="price", codes=["zipcode"]), {})["boosting"]
    cheap, dear = boosting.fit(table[~is_new], table["price"][~is_new]).predict(table[is_new])
    assert dear > 2 * cheap


def test_codes_are_text_with_their_leading_parts():
    table = pd.DataFrame({"style": ["loft", None], "zipcode": [85255.0, "02139"]})
    schema = Schema(categorical=["style"], codes=["zipcode"])
    levels = read_levels(table, schema, (3,))
    assert levels.to_dict("list") == {
        "style": ["loft", "<missing>"],
        "zipcode": ["85255", "02139"],
        "zipcode[:3]": ["852", "021"],
    }


def test_an_unseen_code_stands_between_its_neighbours():
    order = CodeOrder(Schema(codes=["zipcode", "district"]))
    order.fit(pd.DataFrame({"zipcode": [90011, "85255", 85255, None], "district": list("abca")}))
    new = pd.DataFrame({"zipcode": ["85255", 90011.0, "86000", "00001", "99999", None], "district": list("aacbbd")})
    expected = [[0.5, 0.5], [1.5, 0.5], [1.0, 2.5], [0.0, 1.5], [2.0, 1.5], [np.nan, 3.0]]
    np.testing.assert_array_equal(order.transform(new), expected)


def test_every_held_out_row_is_predicted_once_by_a_model_that_has_not_seen_it(table):
    Recorder.fits.clear()
    splits = k_fold(np.arange(NUM_ROWS), 3)
    result = evaluate_held_out("recorder", Recorder(), table, SCHEMA, splits)
    assert result.rows.index.tolist() == list(range(NUM_ROWS))
    np.testing.assert_array_equal(result.rows["prediction"], 1 + table["area"])
    assert list(result.rows) == ["prediction", "images_used", "warnings", "fold"]
    for fold, (training_rows, held_out_rows) in enumerate(splits):
        assert np.flatnonzero(result.rows["fold"] == fold).tolist() == held_out_rows.tolist()
        training = table.iloc[training_rows]
        assert Recorder.fits[fold] == (training["area"].tolist(), training["price"].tolist())
    assert len(result.fitted) == len(Recorder.fits) == 3
    assert result.metrics == regression_metrics(table["price"], 1 + table["area"])


def test_a_single_split_scores_its_held_out_rows_only_and_in_the_order_of_the_table(table):
    splits = [(np.arange(0, 50), np.array([57, 51, 55]))]
    result = evaluate_held_out("recorder", Recorder(), table, SCHEMA, splits)
    assert result.rows.index.tolist() == [51, 55, 57]
    np.testing.assert_array_equal(result.rows["prediction"], 1 + table["area"].iloc[[51, 55, 57]])
    assert result.metrics["n"] == 3


@documented(
    "Tables",
    [Case(f"{num_rows} rows to train on", "error before anything is trained", num_rows) for num_rows in (1, 4)],
)
def test_too_few_rows_to_train_on_are_refused(case, table):
    Recorder.fits.clear()
    splits = [(np.arange(40), np.arange(40, 50)), (np.arange(case.given), np.arange(50, 60))]
    with pytest.raises(ValueError, match=f"at least 5 rows to train on, got {case.given} of the 60 rows; add rows"):
        evaluate_held_out("recorder", Recorder(), table, SCHEMA, splits)
    assert not Recorder.fits


def test_a_row_that_is_held_out_twice_is_refused(table):
    Recorder.fits.clear()
    splits = [(np.arange(0, 40), np.arange(40, 60)), (np.arange(0, 40), np.arange(59, 60))]
    with pytest.raises(ValueError, match="a row is held out in two splits"):
        evaluate_held_out("recorder", Recorder(), table, SCHEMA, splits)
    assert Recorder.fits == []


def test_the_given_model_stays_unfitted(table):
    model = make_baselines(SCHEMA, {})["median"]
    evaluate_held_out("median", model, table, SCHEMA, [(np.arange(0, 50), np.arange(50, 60))])
    assert not hasattr(model, "constant_")


def test_networks_differ_in_modalities_and_fusion_only():
    networks = make_networks(SCHEMA, ["table", "image", *FUSIONS], {"epochs": 3, "fusion": "concat"})
    assert list(networks) == ["table", "image", *FUSIONS]
    assert {name: network.modalities for name, network in networks.items()} == {
        "table": "tabular",
        "image": "image",
        **dict.fromkeys(FUSIONS, "both"),
    }
    assert [networks[name].fusion for name in FUSIONS] == list(FUSIONS)
    assert {(network.schema, network.epochs) for network in networks.values()} == {(SCHEMA, 3)}


def test_the_stack_takes_of_the_options_what_it_knows_and_stands_where_it_was_asked_for():
    preprocessor = MixedDataPreprocessor(SCHEMA, image_size=96)
    options = {"image_branch": "pretrained", "image_weights": "a.h5", "epochs": 3, "random_state": 7}
    options |= {"preprocessor": preprocessor, "target_transform": "identity"}
    networks = make_networks(SCHEMA, ["table", "best", "film"], options)
    assert list(networks) == ["table", "best", "film"]
    assert type(networks["best"]) is StackedRegressor
    expected = {"schema": SCHEMA, "backbone": "MobileNetV2", "image_weights": "a.h5", "random_state": 7}
    expected |= {"preprocessor": preprocessor, "target_transform": "identity", "intervals": False}
    expected |= {"backbone_scaling": None, "flip_average": True, "image_branch": "pretrained"}
    assert networks["best"].get_params(deep=False) == expected


@pytest.mark.parametrize("options", [{}, {"image_branch": "cnn"}])
def test_the_stack_is_refused_without_a_pretrained_backbone(options):
    with pytest.raises(ValueError, match="'best' needs --image-branch patches or pretrained"):
        make_networks(SCHEMA, ["table", "best"], options)


def test_an_unknown_network_is_refused_before_anything_is_fitted():
    with pytest.raises(
        ValueError, match=r"expected names of \['table', 'image', 'best', 'concat', .*\], got 'tabel', 'sum'"
    ):
        make_networks(SCHEMA, ["table", "tabel", "sum"], {})


def test_networks_without_their_columns_are_refused_with_the_remedy():
    with pytest.raises(
        ValueError, match=r"no image column.* not concat; use --networks table --fusion table, or name .* --images"
    ):
        make_networks(SCHEMA.without_images(), ["table", "concat"], {})
    assert list(make_networks(SCHEMA.without_images(), ["table"], {})) == ["table"]
    with pytest.raises(ValueError, match=r"no tabular column.* not table; use --networks image --fusion image"):
        make_networks(SCHEMA.only_images(), ["table"], {})
    assert list(make_networks(SCHEMA.only_images(), ["image"], {})) == ["image"]


def test_ridge_reads_the_columns_and_the_target_as_the_networks_do():
    preprocessor = MixedDataPreprocessor(SCHEMA, ratios=False, min_frequency=7)
    options = {"preprocessor": preprocessor, "target_transform": "identity", "epochs": 3}
    ridge = make_baselines(SCHEMA, options)["ridge"]
    tabular = ridge.regressor.steps[0][1]
    assert (tabular.ratios, tabular.min_frequency, tabular.schema) == (False, 7, SCHEMA)
    assert ridge.transformer.method == "identity"
