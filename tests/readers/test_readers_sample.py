"""The generated sample: the same for the same seed, read like anybody's data, and with the oracle it claims."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mixed_data.readers import READERS
from mixed_data.readers.sample import generate_sample, generated_files, oracle, oracle_predictions, read_sample
from mixed_data.readers.sample.canvas import PHOTO_SIDE
from mixed_data.readers.sample.drawn_photos import draw_photo, photo_path
from mixed_data.readers.sample.house_columns import MISSING_SHARES, draw_columns, table_moments, table_term
from mixed_data.readers.sample.market import (
    FACTORS,
    MISSING_PHOTO_SHARE,
    PHOTO_SD,
    VIEWS,
    Houses,
    draw_houses,
    expected_log_price,
    log_price,
    photo_term,
)
from mixed_data.readers.table import read_table
from mixed_data.schema import Schema

ROWS = 40
PHOTO_COLUMNS = [f"{view}_photo" for view in VIEWS]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds a sample of ``ROWS`` houses."""
    folder = tmp_path_factory.mktemp("samples")
    read_sample(folder, rows=ROWS)
    return folder


@pytest.fixture(scope="module")
def houses() -> Houses:
    """Many houses without pictures."""
    return draw_houses(np.random.default_rng(1), 200_000)


def sample_folder(root: Path) -> Path:
    (folder,) = root.glob(f"sample-{ROWS}-*")
    return folder


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def rmse(prediction: pd.Series, target: np.ndarray) -> float:
    return float(np.sqrt(np.mean((prediction - target) ** 2)))


def test_the_same_seed_writes_the_same_bytes_and_another_seed_other_houses(root: Path, tmp_path: Path) -> None:
    generate_sample(tmp_path / "again", rows=ROWS)
    generate_sample(tmp_path / "other", rows=ROWS, seed=1)
    first, again, other = (digests(folder) for folder in (sample_folder(root), tmp_path / "again", tmp_path / "other"))
    assert again == first
    assert not set(other.values()) & set(first.values())


def test_a_house_is_the_same_whatever_the_number_of_rows(root: Path, tmp_path: Path) -> None:
    generate_sample(tmp_path / "few", rows=7)
    few, many = digests(tmp_path / "few"), digests(sample_folder(root))
    photos = {path for path in few if path.endswith(".jpg")}
    assert len(photos) > 20
    assert {path: few[path] for path in photos} == {path: many[path] for path in photos}
    for name in ("houses.csv", "truth.csv"):
        lines = (sample_folder(root) / name).read_text().splitlines()
        assert (tmp_path / "few" / name).read_text().splitlines() == lines[:8]


def test_blocks_join_without_a_seam(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(generated_files, "write_photos", lambda *_, **__: None)
    generate_sample(tmp_path / "blocks", rows=2_003)
    table = pd.read_csv(tmp_path / "blocks" / "houses.csv")
    assert table["id"].tolist() == list(range(2_003))
    assert not table.duplicated(["area", "zipcode", "lot_size", "price"]).any()
    assert table["kitchen_photo"].iloc[-1] == photo_path(2_002, "kitchen") == "photos/002/002002_kitchen.jpg"
    assert len(pd.read_csv(tmp_path / "blocks" / "truth.csv")) == 2_003


def test_worker_processes_write_the_same_bytes_even_from_a_script_without_a_main_guard(
    root: Path, tmp_path: Path
) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from mixed_data.readers.sample import generate_sample, generated_files\n"
        "generated_files._MIN_ROWS_FOR_WORKERS = 1\n"
        f"generate_sample({str(tmp_path / 'parallel')!r}, rows={ROWS})\n"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    run = subprocess.run([sys.executable, str(script)], env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert digests(tmp_path / "parallel") == digests(sample_folder(root))


def test_it_is_read_by_the_table_reader_and_by_its_registered_name(root: Path) -> None:
    table, schema = READERS["sample"](root, rows=ROWS)
    data = sample_folder(root) / "houses.csv"
    expected, _ = read_table(data=data, schema=schema)
    pd.testing.assert_frame_equal(table, expected)
    schema.validate(table)
    assert len(table) == ROWS
    assert Path(table["front_photo"].dropna().iloc[0]).is_file()


def test_inference_finds_the_same_roles_as_in_a_users_own_table(root: Path) -> None:
    _, schema = read_sample(root, rows=ROWS)
    _, inferred = read_table(data=sample_folder(root) / "houses.csv")
    roles, inferred_roles = schema.to_dict(), inferred.to_dict()
    for role in ("target", "id", "numeric", "categorical", "codes", "images"):
        assert inferred_roles[role] == roles[role], role


def test_the_table_holds_nothing_of_the_hidden_factors(root: Path) -> None:
    table, schema = read_sample(root, rows=ROWS)
    assert set(table) == {schema.target, schema.id, *schema.features, *schema.images}
    assert not {factor.name for factor in FACTORS} & set(table)


def test_every_photo_is_a_jpeg_of_the_stated_size_and_every_empty_cell_has_no_file(root: Path) -> None:
    table, _ = read_sample(root, rows=ROWS)
    paths = table[PHOTO_COLUMNS].stack().dropna().tolist()
    for path in paths:
        with Image.open(path) as photo:
            photo.load()
            assert (photo.format, photo.mode, photo.size) == ("JPEG", "RGB", (PHOTO_SIDE, PHOTO_SIDE))
    assert len(list(sample_folder(root).rglob("*.jpg"))) == len(set(paths)) == len(paths)


@pytest.mark.parametrize("factor", FACTORS, ids=lambda factor: factor.name)
def test_a_factor_changes_its_own_photo_and_no_other(factor) -> None:
    low, high = (min(factor.chances), max(factor.chances)) if factor.chances else (0.0, 1.0)
    traits = {other.name: 1 for other in FACTORS}
    for view in VIEWS:
        pictures = [
            np.asarray(draw_photo(view, traits | {factor.name: value}, np.random.default_rng(3)), "int16")
            for value in (low, high)
        ]
        changed = np.mean(np.abs(pictures[0] - pictures[1]).max(axis=2) > 25)
        assert changed > 0.03 if view == factor.view else changed == 0, view


def test_prices_look_like_prices(root: Path, houses: Houses) -> None:
    table, _ = read_sample(root, rows=ROWS)
    assert (table["price"] % 100 == 0).all()
    low, median, high = np.exp(np.quantile(log_price(houses), [0.001, 0.5, 0.999]))
    assert 60_000 < low < 100_000
    assert 350_000 < median < 450_000
    assert 1_500_000 < high < 4_000_000


def test_zipcodes_are_texts_of_five_digits_in_regions_some_of_them_rare(houses: Houses) -> None:
    shares = houses.columns["zipcode"].value_counts(normalize=True)
    assert shares.index.str.fullmatch(r"[1-9]\d{4}").all()
    assert len(shares) == 30
    assert shares.index.str[:3].nunique() == 7
    assert (shares < 0.006).sum() >= 4
    assert shares.max() < 0.1


def test_missing_shares_are_the_stated_ones(houses: Houses) -> None:
    assert houses.missing_cells.mean().to_dict() == pytest.approx(MISSING_SHARES, abs=0.003)
    assert houses.missing_photos.any(axis=1).mean() == pytest.approx(MISSING_PHOTO_SHARE, abs=0.002)
    assert houses.missing_photos.sum(axis=1).max() == 1


def test_hidden_factors_are_independent_of_columns_noise_losses_and_each_other(houses: Houses) -> None:
    place = pd.get_dummies(houses.columns["zipcode"].str[:3])
    seen = pd.concat(
        [houses.columns.drop(columns="zipcode"), place, houses.missing_cells, houses.missing_photos], axis=1
    ).assign(noise=houses.noise)
    correlations = np.corrcoef(np.column_stack([houses.factors, seen]).astype(float), rowvar=False)
    num_factors = houses.factors.shape[1]
    of_factors = correlations[:num_factors]
    of_factors[:, :num_factors] -= np.eye(num_factors)
    assert np.abs(of_factors).max() < 0.012


def test_the_photo_term_is_centred_and_every_view_carries_a_quarter_of_its_variance(houses: Houses) -> None:
    worth = photo_term(houses.factors)
    assert worth.mean() == pytest.approx(0, abs=0.003)
    assert worth.std() == pytest.approx(PHOTO_SD, rel=0.01)
    for view in VIEWS:
        only = pd.DataFrame({other: np.full(len(worth), other != view) for other in VIEWS})
        assert photo_term(houses.factors, only).var() == pytest.approx(PHOTO_SD**2 / 4, rel=0.02)
    for view in VIEWS:
        assert sum(factor.share for factor in FACTORS if factor.view == view) == pytest.approx(1)


def test_the_price_equation_gives_a_hand_worked_price() -> None:
    house = Houses(
        pd.DataFrame(
            {"bedrooms": [4], "bathrooms": [2.5], "area": [1900], "zipcode": ["60611"], "year_built": [2022],
             "lot_size": [7000]}
        ),
        pd.DataFrame({name: [False] for name in MISSING_SHARES}),
        pd.DataFrame({factor.name: [factor.mean] for factor in FACTORS}).assign(pool=[1]),
        pd.DataFrame({view: [False] for view in VIEWS}),
        np.array([0.05]),
    )  # fmt: skip
    # 0 for the area; one bedroom above 3; half a bathroom above 2; region and zipcode; 0 for the lot; a new house.
    table_worth = 0 + 0.03 + 0.06 * 0.5 + (0.28 + 0.06) + 0 + 0.9 * 0.6**2
    pool_worth = (1 - 0.35) * 0.36 * np.sqrt(0.25 / 4 / (0.35 * 0.65))
    assert log_price(house)[0] == pytest.approx(12.75 + table_worth + pool_worth + 0.05)
    assert log_price(house, photo_signal=2.0)[0] == pytest.approx(12.75 + table_worth + 2 * pool_worth + 0.05)


@pytest.mark.parametrize("name", MISSING_SHARES)
def test_an_empty_cell_counts_as_its_mean_worth_among_houses_alike_in_the_rest(name: str) -> None:
    columns = draw_columns(np.random.default_rng(2), 400_000)
    alike = columns[(columns["bedrooms"] == 3) & (columns["zipcode"] == "45205")]
    alike = alike[alike["area"].between(1_880, 1_960)]
    empty = alike.assign(**{name: np.nan})
    difference = table_term(alike) - table_term(empty)
    assert len(alike) > 500
    assert abs(difference.mean()) < 4 * difference.std() / np.sqrt(len(alike))
    assert difference.std() > 0.01


def test_table_moments_agree_with_simulation(houses: Houses) -> None:
    mean, variance, missing_variance = table_moments()
    term = table_term(houses.columns)
    open_part = term - table_term(houses.seen_columns())
    assert term.mean() == pytest.approx(mean, abs=0.004)
    assert term.var() == pytest.approx(variance, rel=0.02)
    assert np.mean(open_part**2) == pytest.approx(missing_variance, rel=0.03)


@pytest.mark.parametrize("photo_signal", [0.0, 0.5, 1.0])
def test_the_oracle_agrees_with_simulation(houses: Houses, photo_signal: float) -> None:
    predictions = expected_log_price(houses, photo_signal)
    truth = log_price(houses, photo_signal)
    simulated = {name: rmse(predictions[name], truth) for name in predictions}
    assert simulated == pytest.approx(oracle(photo_signal=photo_signal), rel=0.01)


@pytest.mark.parametrize("name", ["table", "image", "both"])
def test_no_correction_of_an_oracle_prediction_by_what_it_knows_helps(houses: Houses, name: str) -> None:
    prediction = expected_log_price(houses)[name].to_numpy()
    residual = log_price(houses) - prediction
    seen_factors = [
        np.where(houses.missing_photos[factor.view], 0, houses.factors[factor.name] - factor.mean) for factor in FACTORS
    ]
    table = houses.seen_columns().drop(columns="zipcode").fillna(0).to_numpy()
    known = {"table": [table], "image": seen_factors, "both": [table, *seen_factors]}[name]
    design = np.column_stack([np.ones(len(prediction)), prediction, prediction**2, *known])
    fitted = design @ np.linalg.lstsq(design, residual, rcond=None)[0]
    assert fitted.var() / residual.var() < 3e-4


def test_each_modality_alone_leaves_at_least_1_8_times_the_error_of_both() -> None:
    errors = oracle()
    assert errors["table"] >= 1.8 * errors["both"]
    assert errors["image"] >= 1.8 * errors["both"]


def test_without_photo_signal_pictures_add_nothing() -> None:
    errors = oracle(photo_signal=0.0)
    assert errors["both"] == errors["table"] < errors["image"]


def test_oracle_predictions_lie_row_by_row_beside_the_table(root: Path) -> None:
    table, _ = read_sample(root, rows=ROWS)
    predictions = oracle_predictions(root, rows=ROWS)
    expected = np.exp(expected_log_price(draw_houses(np.random.default_rng([0, 0]), 1_000).head(ROWS)))
    assert predictions["id"].tolist() == table["id"].tolist()
    pd.testing.assert_frame_equal(predictions[["table", "image", "both"]], expected)
    target = np.log(table["price"])
    assert rmse(np.log(predictions["both"]), target) < rmse(np.log(predictions["table"]), target)


def test_the_photo_signal_changes_prices_but_neither_columns_nor_photos(root: Path) -> None:
    loud, _ = read_sample(root, rows=9)
    mute, _ = read_sample(root, rows=9, photo_signal=0.0)
    assert (loud["price"] != mute["price"]).all()
    features = [*Schema.infer(loud, target="price").features]
    pd.testing.assert_frame_equal(loud[features], mute[features])
    first = loud["bathroom_photo"].iloc[0], mute["bathroom_photo"].iloc[0]
    assert Path(first[0]).read_bytes() == Path(first[1]).read_bytes()


def test_the_size_of_a_photo_file_hardly_tells_the_price(root: Path) -> None:
    table, _ = read_sample(root, rows=200, seed=2)
    sizes = np.log([[Path(path).stat().st_size if path else np.nan for path in row]
                    for row in table[PHOTO_COLUMNS].to_numpy()])  # fmt: skip
    complete = ~np.isnan(sizes).any(axis=1)
    residual = np.log(table["price"] / oracle_predictions(root, rows=200, seed=2)["table"])[complete]
    design = np.column_stack([np.ones(complete.sum()), sizes[complete]])
    fitted = design @ np.linalg.lstsq(design, residual, rcond=None)[0]
    assert fitted.var() / residual.var() < 0.12
