"""Bundle to smaller bundle: a recipe chooses the layers, the graph is built anew with them."""
