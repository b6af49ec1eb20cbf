"""Trees of tokens, whose branches are beams or scored continuations."""
