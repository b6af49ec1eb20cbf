"""Preparing a run: inputs are found and read, old versions dropped, and the rest divided into units."""
