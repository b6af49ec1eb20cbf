"""Measurements of biogpt-onnx, run from a checkout as `python -m benchmarks.NAME`. They are not installed."""
