"""Rounding of weights that makes up for its own errors on calibration text."""
