"""Measurements of corpus runs: the layer's cost, processes of one machine, and workers of a Ray cluster."""
