"""Scores of a model's answers to a task: gold answers, metrics, baselines and reports."""
