"""Metrics of predictions beside gold answers."""
