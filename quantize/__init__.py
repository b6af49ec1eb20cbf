"""Quantization of bundles: a recipe chooses the layers, and the graph is built anew with them."""
