"""The description of the service is made from its bundle, and what it promises holds: schemathesis tries it."""

from __future__ import annotations

import warnings

import hypothesis
import pandas as pd
import pytest
from hypothesis import strategies
from serving_helpers import PHOTO, in_base64, make_client, make_photo, make_predictor

from mixed_data.schema import Schema
from mixed_data.serving import Limits, make_app

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import schemathesis
    from schemathesis.checks import CHECKS

    schemathesis.openapi.format("byte", strategies.sampled_from([in_base64(), in_base64(make_photo(9))]))
    schemathesis.openapi.format("binary", strategies.sampled_from([PHOTO, make_photo(9)]))

BOAT = Schema(target="price", numeric=("length (ft)",), categorical=("hull",), images=("deck",))
BOATS = pd.DataFrame({"length (ft)": [20.0, 31.5, 44.0], "hull": ["steel", "wood", "steel"], "deck": "a.jpg"})


def find_untold(case):
    """Name the checks that ask of a case what the description cannot say."""
    accepted, rejected = "positive_data_acceptance", "negative_data_rejection"
    if case.path == "/v2/models/mixed_data/infer":  # a tensor's data must fit its shape
        return {accepted, rejected}
    if case.path == "/v1/predict/batch":  # a bad row has a status of its own in an answer that is 200
        return {accepted, rejected}
    if case.media_type == "multipart/form-data":  # all is text there, and not every file is a photo
        return {accepted, rejected}
    if case.path == "/v1/explain":  # the photo of a heat map must be in the body
        return {accepted}
    has_photos = isinstance(case.body, dict) and (case.body.get("front") or case.body.get("rooms_photos"))
    return {accepted} if has_photos else set()  # not every text in base64 is a photo


def test_a_house_and_a_boat_have_different_forms():
    forms = []
    for predictor in (make_predictor(), make_predictor(BOAT, BOATS, unit="EUR")):
        with make_client(predictor) as client:
            found = client.get("/openapi.json").json()
        schemas = found["components"]["schemas"]
        forms.append((found["info"], schemas["Row"]["properties"], schemas["Form"]["properties"]))
    (house, row, form), (boat, boat_row, _) = forms
    assert house["title"] == "Predict price"
    assert boat["description"].startswith("Predicts price in EUR from length (ft), hull, deck.")
    assert list(row) == list(form) == ["area [m2]", "rooms", "style", "zip", "built", "front", "rooms_photos"]
    assert list(boat_row) == ["length (ft)", "hull", "deck"]
    assert row["area [m2]"]["x-unit"] == "m2"
    assert row["area [m2]"]["description"] == "area, in m2; training had 80 to 250"
    assert row["area [m2]"]["examples"][1] == 120.0
    assert "one of steel, wood" in boat_row["hull"]["description"]
    assert form["rooms_photos"]["type"] == "array"


@pytest.fixture(scope="module")
def described():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return schemathesis.openapi.from_asgi("/openapi.json", make_app(make_predictor(), limits=Limits(rows=3)))


TRIED = hypothesis.settings(
    max_examples=10,
    suppress_health_check=list(hypothesis.HealthCheck),
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
    database=None,
)


def try_operation(operation, mode):
    @TRIED
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
    def try_case(case):
        untold = find_untold(case)
        case.call_and_validate(excluded_checks=[check for check in CHECKS.get_all() if check.__name__ in untold])

    try_case()


def test_schemathesis_finds_nothing_wrong(described):
    operations = [result.ok() for result in described.get_all_operations()]
    for operation in operations:
        try_operation(operation, schemathesis.GenerationMode.POSITIVE)
        if operation.body or operation.query:
            try_operation(operation, schemathesis.GenerationMode.NEGATIVE)
    assert len(operations) == 13
