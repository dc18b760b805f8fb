"""Expectation suites: read, asked of a table, compared with those of the last release."""

from .asking import Asked as Asked
from .asking import ask as ask
from .great import Custom as Custom
from .great import warm_up as warm_up
from .parsed import Suite as Suite
from .parsed import parse as parse

RAW = "raw"  # the suite of the raw data; all others are of prepared tables
