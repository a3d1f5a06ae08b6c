"""Predict a number from a table plus pictures.

Nothing is imported here on purpose: ``import mixed_data.preprocessing`` must not start TensorFlow. Import what you
need from its room: ``mixed_data.schema``, ``mixed_data.preprocessing``, ``mixed_data.fusion``,
``mixed_data.estimator``.
"""

__version__ = "0.1.0"
