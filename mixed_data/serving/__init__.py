"""A bundle as a service: predictions and their reasons over HTTP, a page for people, numbers for who watches it."""

from mixed_data.serving.service_app import make_app
from mixed_data.serving.service_limits import Limits

__all__ = ["Limits", "make_app"]
