"""The decoder, layer by layer, in ONNX IR."""
