"""`python -m biogpt_onnx`, the same as `biogpt-onnx`."""

import sys

from biogpt_onnx.cli import main

if __name__ == "__main__":
    sys.exit(main())
