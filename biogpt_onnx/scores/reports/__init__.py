"""Reports of a task's scores, in Markdown and JSON."""
