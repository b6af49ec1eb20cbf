"""Selection of the next token from its scores."""
