"""How models and strangers' texts are written, the same everywhere on the page and the card, and templates."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mixed_data.evaluation.model_names import BEST, BOOSTING, IMAGE, PLACEBO, TABLE, is_ablation
from mixed_data.files.written_values import clip
from mixed_data.metrics import METRICS, write_decimals

BASELINES = {
    "median": "the median of the training rows, for every row",
    "ridge": "ridge regression on the columns",
    "knn": "mean of the most similar rows, by the columns",
    BOOSTING: "gradient-boosted trees on the columns",
}
UNIMODAL = {TABLE: "network, columns only", IMAGE: "network, photos only"}
_OTHERS = {PLACEBO: "main network, photos shuffled among the rows", BEST: "trees and kernel machines, stacked"}
_PATTERNS = {
    "all": "as they are",
    "no photos": "all photos hidden",
    "no table": "all columns hidden",
    "nothing": "photos and columns hidden",
}

# Markdown's marks, and what makes an address of a text without any mark: "://", "@", and the point behind "www".
_MARKS = re.compile(r"([\\`*_\[\]<>&|#!~$@]|:(?=//)|(?<=www)\.)", re.IGNORECASE)


def quote(text: object) -> str:
    """Return a stranger's name as a code span of Markdown, which no mark inside it can end."""
    name = clip(text, 80)
    fence = "`" * (1 + max(map(len, re.findall("`+", name)), default=0))
    pad = " " if name.startswith("`") or name.endswith("`") or not name else ""
    return f"{fence}{pad}{name}{pad}{fence}"


def escape(text: object) -> str:
    """Return a stranger's text as plain text, with Markdown's marks escaped."""
    return _MARKS.sub(r"\\\1", clip(text, 600))


def is_reference(model: str) -> bool:
    """Tell predictions that came with the data from models that could be used."""
    return model == "oracle" or model.startswith("oracle_")


def describe_model(model: str) -> str:
    """Say in a few words what a model in ``comparison.json`` is."""
    if is_reference(model):
        return "reference: knows how the data was made; no model"
    known = {**BASELINES, **UNIMODAL, **_OTHERS}
    if is_ablation(model) and model not in known:
        return f"main network {clip(model, 60)}"
    return known.get(model, "network, columns and photos")


def describe_pattern(pattern: object) -> str:
    """Say what was hidden of rows in ``missing.json``."""
    return _PATTERNS.get(str(pattern), clip(pattern, 60))


def render(template: str, facts: Mapping[str, Any]) -> str:
    """Fill one of this package's templates; a page escapes every text, because ids, paths and warnings are strangers'.

    Beside the facts, a template has `METRICS` and the functions of this module as filters.

    Args:
        template: file name.
        facts: name -> value.

    Raises:
        UndefinedError: the template asks for a name that is not there (a mistake in this package).
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=template.endswith(".html.jinja"),  # a card quotes by itself
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"clip": clip, "quote": quote, "plain": escape, "decimals": write_decimals}
    environment.filters |= {"model": describe_model, "pattern": describe_pattern}
    environment.tests["reference"] = is_reference
    return environment.get_template(template).render(facts, METRICS=METRICS)
