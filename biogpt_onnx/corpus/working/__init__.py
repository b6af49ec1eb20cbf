"""Work on the units of a run: claims, tries, the answers of one process, and a pool of processes."""
