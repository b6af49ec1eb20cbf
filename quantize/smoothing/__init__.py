"""Outliers of activations moved into the weights before these are packed."""
