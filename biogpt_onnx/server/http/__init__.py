"""Requests and answers: bounded bodies, OpenAI's errors, streams of events, and work that ends with its client."""
