"""Corpus runs: preparing, the layer's cost, the processes of one machine, and the workers of a Ray cluster."""
