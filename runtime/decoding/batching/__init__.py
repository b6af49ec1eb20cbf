"""Continuous batching: rows that join and leave a running batch, and what the model does next."""
