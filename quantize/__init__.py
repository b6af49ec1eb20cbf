"""Bundle to smaller bundle, and the proof that it still answers the same.

Empty so far: no recipe has been written yet.
"""
