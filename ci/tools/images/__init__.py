"""Images: a base, the runtime upon it, and a model's layer upon that, each found by content."""
