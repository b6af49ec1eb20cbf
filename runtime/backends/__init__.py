"""Backends: what computes the passes of a model, one folder for each kind of device."""
