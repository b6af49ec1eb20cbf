"""Export of checkpoints to bundles: readers, the graph, and its parity with transformers."""
