"""Text formats that are read line by line: plain text, JSON lines and tables."""
