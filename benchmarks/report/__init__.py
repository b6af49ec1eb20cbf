"""Pages that hold tables of the committed runs, and figures in their prose."""
