"""Reports of result rows: Markdown, figures, and the comparison with peers."""
