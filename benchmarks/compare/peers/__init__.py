"""Other libraries that run the same weights: their catalogue, their environments and an adapter for each."""
