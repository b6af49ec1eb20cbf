"""Weights in huge pages of memory beside the same weights in small ones."""
