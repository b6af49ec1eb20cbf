"""Peak memory of a loaded bundle beside the formula, and small limits."""
