"""Opening inputs: files, standard input and streams, compressed or not, whose beginning can be looked at."""
