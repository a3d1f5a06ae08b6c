"""Files of other countries and programs: every number and date is read as it was meant, or the file is refused."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from reliability import Case, documented

from mixed_data.readers.table import read_rows, read_table
from mixed_data.schema import Schema, SchemaError

ROWS = 24
AREAS = [950.0 + 50 * row for row in range(ROWS)]  # From 1000 on, with a separator of thousands.
WIDTHS = [5.0 + row / 2 for row in range(ROWS)]
PRICES = [450_000.0 + 12_500 * row for row in range(ROWS)]
DAYS = pd.Series(pd.date_range("2014-05-01", periods=ROWS, freq="20D"))
EXPECTED = {"area": AREAS, "width": WIDTHS, "sold": DAYS.tolist(), "price": PRICES}


def european(number: float, decimals: int = 0) -> str:
    return f"{number:,.{decimals}f}".translate(str.maketrans(",.", ".,"))


def make_file(folder: Path, separator: str = ";", *, name: str = "listings.csv", **columns: list[str]) -> Path:
    """Write the rows as a German spreadsheet does, but for the columns that are given."""
    german = {
        "area": list(map(european, AREAS)),
        "width": [european(width, 1) for width in WIDTHS],
        "sold": DAYS.dt.strftime("%d.%m.%Y"),
        "price": [f"{european(price)},- €" for price in PRICES],
    }
    path = folder / name
    pd.DataFrame({**german, **columns}).to_csv(path, sep=separator, index=False)
    return path


def assert_read(table: pd.DataFrame) -> None:
    assert {name: table[name].tolist() for name in EXPECTED} == EXPECTED


AMERICAN = {
    "area": [f"{area:,.0f}" for area in AREAS],
    "width": list(map(str, WIDTHS)),
    "sold": list(DAYS.dt.strftime("%m/%d/%Y 12:00:00 AM")),
    "price": [f"${price:,.2f}" for price in PRICES],
}
FRENCH = {"area": [f"{area:,.0f}".replace(",", "\u202f") for area in AREAS]}
SWISS = {
    "area": [f"{area:,.0f}".replace(",", "’") for area in AREAS],
    "width": list(map(str, WIDTHS)),
    "price": [f"CHF {price:,.0f}.-".replace(",", "'") for price in PRICES],
}
MONTHS = [None, "Jan", "Feb", "March", "April", "May", "June", "July", "Aug", "September", "Oct", "Nov", "December"]
BY_NAME = [f"{day.day} {MONTHS[day.month]} {day.year}" for day in DAYS]
KING_COUNTY = DAYS.dt.strftime("%Y%m%dT000000")
FILES = [
    Case("a German file: 1.200 and 12,5 and 450.000,- € and 02.05.2014", "read", (";", {})),
    Case("the same with tabs", "read", ("\t", {})),
    Case("the same with commas and quotes", "read", (",", {})),
    Case("an American file: 1,200 and 12.5 and $450,000.00 and 5/2/2014 12:00:00 AM", "read", (",", AMERICAN)),
    Case("the same with semicolons", "read", (";", AMERICAN)),
    Case("a French file: 1 200 with a narrow no-break space", "read", (";", FRENCH)),
    Case("a Swiss file: 1’200 and 12.5 and CHF 450'000.-", "read", (";", SWISS)),
    Case("dates as in King County's table: 20140502T000000", "read", (";", {"sold": KING_COUNTY})),
    Case("dates by name: 1 May 2014", "read", (";", {"sold": BY_NAME})),
]  # fmt: skip


@documented("Numbers in a table", FILES)
def test_a_file_of_any_country_means_the_same(case, tmp_path):
    separator, columns = case.given
    table, schema = read_table(data=make_file(tmp_path, separator, **columns))
    assert (schema.numeric, schema.dates, schema.target) == (("area", "width"), ("sold",), "price")
    assert_read(table)


def test_rows_to_predict_mean_the_same_in_the_files_of_all_countries_and_in_those_of_programs(tmp_path):
    table, schema = read_table(data=make_file(tmp_path))
    for separator, columns in [(";", {}), (",", AMERICAN), (";", FRENCH), (";", SWISS)]:
        path = make_file(tmp_path, separator, name="new.csv", **{**columns, "price": [""] * ROWS})
        found = read_rows(path, schema)
        assert_read(found.assign(price=PRICES))
    table.to_csv(tmp_path / "held_out.csv", index=False)
    assert_read(read_rows(tmp_path / "held_out.csv", schema, needs_target=True))
    table.to_parquet(tmp_path / "held_out.parquet")
    assert_read(read_rows(tmp_path / "held_out.parquet", schema, needs_target=True))
    one = table[:1].assign(area="1.200")
    one.to_csv(tmp_path / "one.csv", index=False, sep=";")
    with pytest.raises(SchemaError, match=r"seem to have the decimal sign '\.', but training"):
        read_rows(tmp_path / "one.csv", schema)  # Its width is written 5.0.


def test_the_decimal_sign_may_be_said_where_no_cell_tells_it(tmp_path):
    path = tmp_path / "listings.csv"
    path.write_text("area;price\n" + "".join(f"1.{row}00;{row}50.000\n" for row in range(1, 10)), "utf-8")
    with pytest.raises(SchemaError, match=r"'1\.100' may be 1\.1 or 1100, .* say it with --decimal"):
        read_table(data=path)
    for decimal, area, price in ((",", 1100.0, 150000.0), (".", 1.1, 150.0)):
        table, schema = read_table(data=path, decimal=decimal)
        assert table.loc[0, ["area", "price"]].tolist() == [area, price]
        assert read_rows(path, schema)["area"][0] == area
        by_hand = Schema(target="price", numeric=["area"], formats=schema.formats)
        assert read_table(data=path, schema=by_hand)[0]["area"][0] == area
    with pytest.raises(SchemaError, match=r"decimal must be '\.' or ',', got ';'"):
        read_table(data=path, decimal=";")


def test_a_format_written_by_hand_outweighs_the_separator(tmp_path):
    path = tmp_path / "listings.csv"
    path.write_text("area,price\n" + "".join(f"1.{row}00,{row}\n" for row in range(1, 10)), "utf-8")
    assert read_table(data=path)[0]["area"][0] == 1.1
    by_hand = Schema(target="price", numeric=["area"], formats={"area": "1.234"})
    assert read_table(data=path, schema=by_hand)[0]["area"][0] == 1100


def test_a_cell_that_fits_no_other_is_named_by_its_line_and_skipped_or_masked_on_demand(tmp_path):
    widths = [european(width, 1) for width in WIDTHS]
    widths[3] = "6.5"
    path = make_file(tmp_path, width=widths)
    with pytest.raises(
        SchemaError, match=r"line 5, column 'width': got '6.5' \(in training numbers are written 1.234,5\)"
    ):
        read_table(data=path)
    assert read_table(data=path, on_bad_row="mask")[0]["width"].isna().tolist() == [row == 3 for row in range(ROWS)]
    assert len(read_table(data=path, on_bad_row="skip")[0]) == ROWS - 1
