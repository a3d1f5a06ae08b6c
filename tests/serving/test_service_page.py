"""Every curl line of docs/service.md is answered, by a service of a bundle with the sample's columns."""

from __future__ import annotations

import shlex
from pathlib import Path

import pandas as pd
import pytest
from serving_helpers import PHOTO, make_client, make_predictor

from mixed_data.schema import Schema

PAGE = (Path(__file__).resolve().parents[2] / "docs/service.md").read_text("utf-8")
LINES = [line for line in PAGE.splitlines() if line.startswith("curl ")]
ADDRESS = "http://127.0.0.1:8000"


@pytest.fixture(scope="module")
def client():
    schema = Schema(
        target="price", numeric=("area", "bedrooms"), codes=("zipcode",), images=("front_photo", "kitchen_photo")
    )
    rows = pd.DataFrame(
        {
            "area": [900.0, 1819.0, 2500.0],
            "bedrooms": [2, 3, 4],
            "zipcode": ["30233", "45205", "30233"],
            "front_photo": "a.jpg",
            "kitchen_photo": "b.jpg",
        }
    )
    with make_client(make_predictor(schema, rows)) as client:
        yield client


@pytest.mark.parametrize("line", LINES)
def test_a_line_is_answered(client, line):
    words = iter(shlex.split(line)[1:])
    address, headers, content, data, files = "", {}, None, {}, []
    for word in words:
        if word == "-H":
            name, _, value = next(words).partition(": ")
            headers[name] = value
        elif word == "-d":
            content = next(words)
        elif word == "-F":
            name, _, value = next(words).partition("=")
            if value.startswith("@"):
                files.append((name, (value[1:], PHOTO)))
            else:
                data[name] = value
        else:
            address = word
    assert address.startswith(ADDRESS)
    method = "POST" if content or data else "GET"
    answer = client.request(
        method, address.removeprefix(ADDRESS), headers=headers, content=content, data=data or None, files=files or None
    )
    assert answer.status_code == 200, answer.text


def test_every_address_has_a_line_and_the_limits_are_those_that_hold(client):
    described = client.get("/openapi.json").json()["paths"]
    shown = {line.split()[1].removeprefix(ADDRESS).partition("?")[0] for line in LINES}
    assert shown == {*described, "/openapi.json"}
    from mixed_data.serving import Limits

    limits = Limits()
    for text in (
        f"a body over {limits.body_bytes // 2**20} MiB, a photo over {limits.photo_bytes // 2**20} MiB",
        f"more than {limits.photos} photos",
        f"more than {limits.photo_pixels // 10**6} million pixels, more than {limits.rows} rows",
        f"`--requests {limits.requests}`",
        f"`--threads {limits.threads}`",
        f"longer than {limits.seconds:g} seconds",
    ):
        assert text in PAGE
