"""Measurements of BioGPT's tasks: documents per minute, scores, and the quality of quantized bundles."""
