"""Documents out of files, and results into files."""
