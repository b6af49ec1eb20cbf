"""Baselines that need no model."""
