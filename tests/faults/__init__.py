"""Planted faults: what a data gate must stop, and what it must let pass, as data."""
