"""Which column of a table plays which role, what a cell means, and what is wrong with a table."""

from mixed_data.schema.bad_cells import SchemaError
from mixed_data.schema.column_formats import learn_formats
from mixed_data.schema.declared_roles import Schema

__all__ = ["Schema", "SchemaError", "learn_formats"]
