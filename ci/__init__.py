"""Slipway: takes one commit of a model from data to production, with evidence at every step."""

__version__ = "0.1.0"
