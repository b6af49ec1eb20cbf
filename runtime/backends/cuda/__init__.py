"""The CUDA backend: each sequence has a cache row of its own, in the memory of a GPU."""
