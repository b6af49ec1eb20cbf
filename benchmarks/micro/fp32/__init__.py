"""Measurements of the float32 runtime, of an export's memory, of a cold start and of the tokenizer."""
