"""Checkpoint to bundle: readers, the graph, and the proof that it computes what the checkpoint says."""
