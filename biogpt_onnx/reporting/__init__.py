"""Confidence intervals, number formats, Markdown tables, figures and progress, shared by every report."""
