"""The errors that callers may want to catch, each of them also a built-in."""


class BioGptError(Exception):
    """Anything that this package raises on purpose; its message is one line that names the remedy."""


class CheckpointError(BioGptError, ValueError):
    """A checkpoint is missing, incomplete, malformed or not a BioGPT."""


class BundleError(BioGptError, ValueError):
    """A bundle is missing, incomplete, altered or of a version that this package does not read."""


class ProviderError(BioGptError, RuntimeError):
    """ONNX Runtime, or the execution provider that was asked for, cannot be had."""


class DeviceMemoryError(BioGptError, MemoryError):
    """A GPU's memory is full; what was loaded before can still be used."""


class ConfigError(BioGptError, ValueError):
    """A setting has a bad value; the message names the field."""


class PromptError(BioGptError, ValueError):
    """A prompt cannot be used: empty list, wrong type, ids outside the vocabulary, too long."""


class DocumentError(BioGptError, ValueError):
    """A file of documents cannot be read or written."""
