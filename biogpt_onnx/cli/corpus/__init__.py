"""The parts of the command `corpus`, each of which is a command by itself."""
