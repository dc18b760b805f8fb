"""Edges: processes, HTTP, git, DVC, engines. Passed in where a test needs another."""
