"""Measurements of beams, logits processors, choices and drafts at BioGPT's full size."""
