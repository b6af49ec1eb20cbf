"""The errors that callers may want to catch; each is also a built-in exception."""


class BioGptError(Exception):
    """Base of all errors that this package raises on purpose; the message is one line that names the remedy."""


class CheckpointError(BioGptError, ValueError):
    """Error for a checkpoint that is missing, incomplete, malformed or not a BioGPT."""


class BundleError(BioGptError, ValueError):
    """Error for a bundle that is missing, incomplete, altered or of a version that this package does not read."""


class ProviderError(BioGptError, RuntimeError):
    """Error for an ONNX Runtime, or a requested execution provider, that is not available."""


class DeviceMemoryError(BioGptError, MemoryError):
    """Error for a GPU whose memory is full; models that were loaded before can still be used."""


class MemoryLimitError(BioGptError, MemoryError):
    """Error for a bundle or a cache that does not fit in the memory of the process's container or machine."""


class ConfigError(BioGptError, ValueError):
    """Error for a setting with a bad value; the message names the field."""


class PromptError(BioGptError, ValueError):
    """Error for a prompt that cannot be used: an empty list, a wrong type, ids outside the vocabulary, too long."""


class DocumentError(BioGptError, ValueError):
    """Error for a file of documents that cannot be read or written."""


CLOSED = "the model was closed: load the bundle again"
"""The message of a `ModelClosedError`."""


class ModelClosedError(BioGptError, RuntimeError):
    """Error for the use of a model that was closed; load the bundle again."""


class CancelledError(BioGptError, RuntimeError):
    """Error for an item of a call that the caller cancelled before the item was answered."""
