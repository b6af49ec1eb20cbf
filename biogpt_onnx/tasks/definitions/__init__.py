"""Task definitions: tasks of one's own that are written in TOML files."""
