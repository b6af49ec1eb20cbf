"""What the server tells its operators: metrics and a log line for each request, without a word of anybody's text."""
