"""Advice: which bundles and how many threads suit a machine, from a short measurement."""
