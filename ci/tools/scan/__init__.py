"""Looks into images and what they are made from: layers, secrets, packages, Dockerfiles."""
