"""Drafts for speculative decoding: where they come from and how long they are."""
