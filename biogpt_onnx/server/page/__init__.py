"""The server's web page: one HTML file, one script and one style sheet, with nothing from elsewhere."""
