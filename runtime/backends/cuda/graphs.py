"""Three small graphs, stored ready-made because the runtime has no library that builds graphs.

They are ONNX files of opset 20 in base64; tests compare them with the formulas beside them.
"""

import base64

from biogpt_onnx.runtime.ort.protocols import InferenceSession, OnnxRuntime

SELECTED = 64
"""Number of tokens that `SELECT` selects."""

MOVE = base64.b64decode(
    "CAo6rwEKLgoGc291cmNlCgdpbmRpY2VzEgZ0YXJnZXQiBkdhdGhlcioLCgRheGlzGAGgAQISBG1vdmVaLQoGc291cmNlEiMKIQgHEh0KCBIGYmxv"
    "Y2tzCggSBnRva2VucwoHEgV3b3Jkc1oaCgdpbmRpY2VzEg8KDQgHEgkKBxIFbW92ZWRiLAoGdGFyZ2V0EiIKIAgHEhwKCBIGYmxvY2tzCgcSBW1v"
    "dmVkCgcSBXdvcmRzQgQKABAU"
)
"""target [blocks, moved, words] = Gather(source [blocks, tokens, words], indices [moved], axis=1), of int64: a word is
four numbers in half precision, which are moved faster together."""

SELECT = base64.b64decode(
    "CAo68QIKVwoGbG9naXRzCgVjb3VudBIGdmFsdWVzEgNpZHMiBFRvcEsqFAoEYXhpcxj///////////8BoAECKg4KB2xhcmdlc3QYAaABAioN"
    "CgZzb3J0ZWQYAaABAgo8CgZsb2dpdHMKBGxhc3QSCm5vcm1hbGl6ZXIiD1JlZHVjZUxvZ1N1bUV4cCoPCghrZWVwZGltcxgBoAECCiwKBnZh"
    "bHVlcwoKbm9ybWFsaXplchIRbG9nX3Byb2JhYmlsaXRpZXMiA1N1YhIGc2VsZWN0KhUIARAHQgVjb3VudEoIQAAAAAAAAAAqFAgBEAdCBGxh"
    "c3RKCP//////////WiEKBmxvZ2l0cxIXChUIARIRCgYSBHJvd3MKBxIFdm9jYWJiIQoDaWRzEhoKGAgHEhQKBhIEcm93cwoKEghzZWxlY3Rl"
    "ZGIvChFsb2dfcHJvYmFiaWxpdGllcxIaChgIARIUCgYSBHJvd3MKChIIc2VsZWN0ZWRCBAoAEBQ="
)
"""values, ids [rows, 64] = TopK(logits [rows, vocab], axis=-1), the most likely first, and log_probabilities
[rows, 64] = values - ReduceLogSumExp(logits, axis=-1), of float32."""

SCORE = base64.b64decode(
    "CAo65gIKPQoGbG9naXRzCgRsYXN0Egtub3JtYWxpemVycyIPUmVkdWNlTG9nU3VtRXhwKg8KCGtlZXBkaW1zGACgAQIKNAoLbm9ybWFsaXplcnMKBHJv"
    "d3MSCm5vcm1hbGl6ZXIiBkdhdGhlcioLCgRheGlzGACgAQIKIgoGbG9naXRzCgZwbGFjZXMSBnZhbHVlcyIIR2F0aGVyTkQKLAoGdmFsdWVzCgpub3Jt"
    "YWxpemVyEhFsb2dfcHJvYmFiaWxpdGllcyIDU3ViEgVzY29yZSoUCAEQB0IEbGFzdEoI//////////9aIgoGbG9naXRzEhgKFggBEhIKBxIFY291bnQK"
    "BxIFdm9jYWJaFwoEcm93cxIPCg0IBxIJCgcSBWFza2VkWh0KBnBsYWNlcxITChEIBxINCgcSBWFza2VkCgIIAmIkChFsb2dfcHJvYmFiaWxpdGllcxIP"
    "Cg0IARIJCgcSBWFza2VkQgQKABAU"
)
"""log_probabilities [requested] = GatherND(logits [count, vocab], places [requested, 2]) -
Gather(ReduceLogSumExp(logits, axis=-1), rows [requested]), of float32; a place is a row and a token, and `rows` repeats
the places' rows."""


def open_graph(onnxruntime: OnnxRuntime, graph: bytes, provider: str) -> InferenceSession:
    """Opens a session of one of these graphs."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    # Without a fallback: if the provider fails, ONNX Runtime would print and take the CPU.
    return onnxruntime.InferenceSession(graph, options, providers=[provider], enable_fallback=0)
