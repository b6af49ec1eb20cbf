"""Readers of single files: safetensors, torch pickles and JSON."""
