"""How well a model does a task: gold answers, the field's metrics, how sure the numbers are, and what chance gives."""
