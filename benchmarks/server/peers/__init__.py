"""Other servers: what builds or drives each, run in the peers' own environments."""
