"""Mutation testing: changes in the code, one at a time, that the tests should notice."""
