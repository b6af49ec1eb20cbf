"""ONNX Runtime: its execution providers, sessions, element types, and the inputs of a pass."""
