"""Endpoints beside completions."""
