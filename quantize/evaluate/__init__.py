"""Comparison of a bundle with the float32 bundle it was made from."""
