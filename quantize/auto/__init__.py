"""The recipe `auto`: the search for a precision of each linear layer."""
