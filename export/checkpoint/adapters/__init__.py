"""Adapters of PEFT: read from their folders and merged into a checkpoint's weights as these are read."""
