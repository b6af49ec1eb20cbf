"""Decoding: searches that turn next-token scores into sequences, independent of ONNX Runtime."""
