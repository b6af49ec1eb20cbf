"""Loads: requests and arrivals, the client that sends them, and measures of what it saw."""
