"""Numbers of tokens in the form that OpenAI's clients read."""

from collections.abc import Mapping

from biogpt_onnx.runtime.results import Usage


def usage_content(usage: Usage) -> Mapping[str, int]:
    """Returns numbers of tokens as the object `usage` of an answer."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.new_tokens,
        "total_tokens": usage.prompt_tokens + usage.new_tokens,
    }
