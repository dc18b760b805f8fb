"""Expectation suites: read, asked of a table, compared with those of the last release."""

from .asking import ask as ask
from .parsed import Suite as Suite
from .parsed import parse as parse

RAW = "raw"  # the suite of the raw data; all others are of prepared tables
