"""The published folder becomes a table and a schema; what is not the published folder is an error."""

import os
from pathlib import Path

import pandas as pd
import pytest

from mixed_data.readers.houses import read_houses

LINES = ["4 4 4053 85255 869500", "3  1.5\t1581 02139 895000"]
PHOTOS = ["frontal_photo", "bedroom_photo", "bathroom_photo", "kitchen_photo"]


@pytest.fixture
def folder(tmp_path) -> Path:
    folder = tmp_path / "Houses Dataset"
    folder.mkdir()
    (folder / "HousesInfo.txt").write_text("\n".join(LINES) + "\n")
    return folder


def test_line_n_belongs_to_the_photos_that_start_with_n(folder):
    table, _ = read_houses(folder.parent)
    assert table.to_dict("list") == {
        "house": [1, 2],
        "bedrooms": [4, 3],
        "bathrooms": [4, 1.5],
        "area": [4053, 1581],
        "zipcode": ["85255", "02139"],
        "frontal_photo": [f"{folder}/1_frontal.jpg", f"{folder}/2_frontal.jpg"],
        "bedroom_photo": [f"{folder}/1_bedroom.jpg", f"{folder}/2_bedroom.jpg"],
        "bathroom_photo": [f"{folder}/1_bathroom.jpg", f"{folder}/2_bathroom.jpg"],
        "kitchen_photo": [f"{folder}/1_kitchen.jpg", f"{folder}/2_kitchen.jpg"],
        "price": [869500, 895000],
    }


def test_the_line_number_is_the_id_and_no_feature(folder):
    table, schema = read_houses(folder.parent)
    assert schema.id == "house"
    assert schema.features == ("bedrooms", "bathrooms", "area", "zipcode")
    assert schema.codes == ("zipcode",)
    assert schema.images == tuple(PHOTOS)
    assert schema.target == "price"
    assert "row order" in schema.reasons["house"]
    schema.validate(table)


def test_root_may_be_the_folder_itself_relative_or_in_the_home_folder(folder, monkeypatch):
    expected, _ = read_houses(folder.parent)
    monkeypatch.chdir(folder.parent)
    monkeypatch.setenv("HOME", str(folder.parent))
    for root in (folder, str(folder.parent), "Houses Dataset", ".", Path(), "~"):
        table, _ = read_houses(root)
        pd.testing.assert_frame_equal(table, expected)
        assert all(os.path.isabs(path) for column in PHOTOS for path in table[column])


@pytest.mark.parametrize("root", ["nowhere", "."])
def test_a_root_without_the_data_is_an_error_that_says_how_to_get_it(root, tmp_path):
    state = "does not exist" if root == "nowhere" else "has none"
    with pytest.raises(ValueError, match=state) as error:
        read_houses(tmp_path / root)
    assert repr(str(tmp_path / root)) in str(error.value)
    assert "python -m mixed_data download houses" in str(error.value)


def test_all_bad_lines_are_reported_together_the_first_five_and_the_count(folder):
    bad = ["4 4 4053 85255", "", "4 4 4053 85255 abc", "inf 4 4053 85255 1", "1 2 3 4 5 6", "x 2 3 4 5"]
    (folder / "HousesInfo.txt").write_text("\n".join([*LINES, *bad]))
    with pytest.raises(ValueError, match="expected the five numbers bedrooms, bathrooms, area") as error:
        read_houses(folder)
    assert (
        "got line 3: 4 values; line 4: 0 values; line 5: 'abc' for price; line 6: 'inf' for bedrooms; "
        "line 7: 6 values; and 1 more (6 of 8 lines)"
    ) in str(error.value)


def test_the_real_houses(houses_root):
    table, schema = read_houses(houses_root)
    schema.validate(table)
    assert len(table) == 535
    assert all(Path(path).is_file() for column in PHOTOS for path in table[column])
    assert table["zipcode"].nunique() == 49
    assert table["price"].agg(["min", "max"]).tolist() == [22_000, 5_858_000]
    assert table.set_index("house").loc[462, "bedrooms"] == 10
