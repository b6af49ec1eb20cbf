"""The CPU backend: all sequences of a prompt share one cache row, as branches of a tree of tokens."""
