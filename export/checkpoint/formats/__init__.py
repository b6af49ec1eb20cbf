"""Readers of checkpoint folders: Hugging Face, fairseq, and repositories on the hub."""
