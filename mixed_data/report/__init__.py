"""The page that says what a run found, for people who were not there, and the model card of its bundle."""

from mixed_data.report.model_card import CardFacts, read_card_facts, write_card
from mixed_data.report.report_page import write_report

__all__ = ["CardFacts", "read_card_facts", "write_card", "write_report"]
