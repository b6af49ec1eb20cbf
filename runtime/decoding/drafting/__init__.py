"""Drafts for speculative decoding: their source and their length."""
