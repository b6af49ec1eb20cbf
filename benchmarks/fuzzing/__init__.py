"""Fuzzing of every reader of files and requests that may come from anyone: none may crash, hang or exhaust memory."""
