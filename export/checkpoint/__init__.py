"""Readers of checkpoints in every form, as one table of named tensors."""
