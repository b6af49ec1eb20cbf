"""Comparison of our bundles with other libraries on the same weights.

Peers' adapters are imported from here in environments of their own: this file imports nothing.
"""
