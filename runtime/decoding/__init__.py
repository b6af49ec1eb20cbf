"""The searches that turn next-token logits into sequences; they never see ONNX Runtime."""
