"""An hour under load, through which memory, threads, open files and temporary files must stay as they are."""
