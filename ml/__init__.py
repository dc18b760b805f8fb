"""The model: what it learns from, how it is trained and judged, and what serves it."""
