"""Figures: two things run side by side, given as a ratio. `make bench` measures them again."""
