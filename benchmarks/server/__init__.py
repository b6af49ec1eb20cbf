"""The server under load, beside other servers on the same weights: `python -m benchmarks.server --output FILE`."""
