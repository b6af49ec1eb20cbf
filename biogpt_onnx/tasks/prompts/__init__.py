"""Prompt building: a document becomes the token ids that a fine-tuned model reads."""
