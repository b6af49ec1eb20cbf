"""Backends: devices that compute the passes of a model, a folder for each kind."""
