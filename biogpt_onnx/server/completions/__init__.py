"""Completions as OpenAI's clients ask for them: prompts and settings in, texts out, as a whole or while they come."""
