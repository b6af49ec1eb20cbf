"""Benchmarks of bundles: latency, throughput and memory, with what the runtime needs and no more."""
