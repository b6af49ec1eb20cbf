"""Scores counted as Microsoft's programs count them, for comparison with published figures.

The programs read the generated texts and nothing else, so these figures do too: spans, spelling and the choice of a
dividing "and", which our own figures profit from, play no part.
"""
