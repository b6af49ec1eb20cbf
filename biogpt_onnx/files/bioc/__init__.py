"""BioC as XML and as JSON, by the library bioc, which is an extra."""
