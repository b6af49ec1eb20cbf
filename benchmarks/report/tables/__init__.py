"""Tables of the committed runs, a module for each kind of run."""
