"""Memory: the room that a process has, what a bundle and a cache take of it, and errors before it is exceeded."""
