"""Makers of what the tests need."""
