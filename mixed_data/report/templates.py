"""Templates to text. Ids, column names, paths and warnings are strangers' texts, so that everything is escaped."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def render(template: str, facts: Mapping[str, Any]) -> str:
    """Fill one of this package's templates.

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
    return environment.get_template(template).render(facts)
