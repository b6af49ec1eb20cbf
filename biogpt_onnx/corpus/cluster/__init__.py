"""Work on the units of a run by a Ray cluster: the connection, its nodes, the actors, and the pool of actors."""
