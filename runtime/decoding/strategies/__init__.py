"""Decoding strategies: greedy search and sampling, beam search, speculative decoding, continuation scoring."""
