"""Markdown tables made from the committed runs, and the pages that hold them."""
