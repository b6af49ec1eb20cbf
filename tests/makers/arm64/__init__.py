"""An ARM64 system in a folder, and an emulator that runs its Python: `make test-arm64` makes both by itself."""
