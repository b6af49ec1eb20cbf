"""Calibration: the float32 bundle run over text, to learn how large the inputs of its linear layers are."""
