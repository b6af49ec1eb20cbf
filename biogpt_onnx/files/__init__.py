"""Files: documents are read from them, and results are written to them."""
