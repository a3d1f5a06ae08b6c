"""The page that says what a run found, for people who were not there, and the model card of its bundle."""

from mixed_data.report.model_card import write_card
from mixed_data.report.report_page import write_report
from mixed_data.report.run_contents import read_run

__all__ = ["read_run", "write_card", "write_report"]
