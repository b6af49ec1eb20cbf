"""The operating system: all in which Linux, macOS and Windows differ. No other part asks which of them it runs on."""
