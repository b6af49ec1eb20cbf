"""Weights as low-bit codes with scales, and the decoder's layers that compute with them."""
