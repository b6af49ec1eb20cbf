"""The runtime: text from a bundle, with numpy, sacremoses and ONNX Runtime alone."""
