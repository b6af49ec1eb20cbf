"""BioC as XML and as JSON. It is written by the library bioc, which is an extra."""
