"""The machine's own limits, measured in a process of their own: `python -m biogpt_onnx.bench.probe --threads N`.

Answers any line of input by a JSON object: {"bandwidth": bytes a second, "matmul": operations a second}.
"""

import argparse
import json
import sys

from biogpt_onnx.bench.bandwidth import ReadBandwidth
from biogpt_onnx.bench.matmul import MatmulRate

_BYTES_PER_THREAD = 256 * 1024 * 1024


def main() -> None:
    """Measures whenever asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--bytes-per-thread", type=int, default=_BYTES_PER_THREAD)
    options = parser.parse_args()
    bandwidth, matmul = ReadBandwidth(options.threads, options.bytes_per_thread), MatmulRate(options.threads)
    sys.stdout.write("{}\n")
    sys.stdout.flush()
    for _ in sys.stdin:
        # The first product finds its threads asleep and its memory untouched.
        matmul.measure()
        found = {"bandwidth": bandwidth.measure(), "matmul": matmul.measure()}
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
