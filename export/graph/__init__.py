"""BioGPT's decoder, layer by layer, in ONNX IR."""
