"""Relation statements: their templates, the constraint that decoding keeps to, and the spans of their entities."""
