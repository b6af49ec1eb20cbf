"""The command line.

Exit codes: 0 for success; 1 if the work was done and the answer is no; 2 for bad usage or input.
"""

from biogpt_onnx.cli.main import main

__all__ = ["main"]
