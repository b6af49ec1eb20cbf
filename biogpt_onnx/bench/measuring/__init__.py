"""Measurement of contenders: their processes, the protocol they speak, interleaved runs, and the machine's limits."""
