"""How fast a bundle runs, measured as the field measures it. Needs what the runtime needs, and no more."""
