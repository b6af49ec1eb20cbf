"""Bundle to text, with numpy and ONNX Runtime alone."""
