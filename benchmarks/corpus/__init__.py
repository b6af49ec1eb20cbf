"""Corpus runs: what dividing documents into work units costs, and what answering them in many processes does."""
