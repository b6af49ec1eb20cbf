"""Checks that a bundle on a GPU answers as the CPU does."""
