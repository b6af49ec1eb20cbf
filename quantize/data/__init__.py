"""Built-in biomedical texts, a file for each use."""
