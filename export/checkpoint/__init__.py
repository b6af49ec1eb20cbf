"""Checkpoint files to one table of named tensors."""
