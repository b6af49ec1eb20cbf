"""Measurements of single parts: float32, search, quantized bundles, shared weights."""
