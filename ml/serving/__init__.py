"""Serves a model over HTTP: `python -m ml.serving MODEL_DIR --port N`.

Knows `model.onnx`, `signature.json` and `ml/features.py`, nothing else of the model.
"""
