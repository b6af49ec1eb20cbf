"""Log-probabilities in the form of OpenAI's completions."""

from collections.abc import Iterable, Sequence

from biogpt_onnx.runtime.results import TokenLogprob


def openai_logprobs(tokens: Iterable[TokenLogprob], top: int, offset: int = 0) -> dict[str, list[object]]:
    """Returns the log-probabilities of tokens as lists side by side.

    Args:
        tokens: the tokens.
        top: number of most probable tokens to list for each; the token itself is listed with them.
        offset: number of characters before the text that the tokens' places count from.
    """
    found: dict[str, list[object]] = empty_logprobs()
    for token in tokens:
        listed = {one.text: one.logprob for one in token.top[:top]}
        found["tokens"].append(token.text)
        found["token_logprobs"].append(token.logprob)
        found["top_logprobs"].append((listed | {token.text: token.logprob}) if top else None)
        found["text_offset"].append(offset + token.span[0])
    return found


def echoed_logprobs(first_token: str, tokens: Sequence[TokenLogprob], top: int) -> dict[str, list[object]]:
    """Returns the log-probabilities of a prompt's tokens; the first, before which there is nothing, has none.

    Args:
        first_token: text of the first token.
        tokens: the others.
        top: number of most probable tokens to list for each.
    """
    first: dict[str, list[object]] = {
        "tokens": [first_token],
        "token_logprobs": [None],
        "top_logprobs": [None],
        "text_offset": [0],
    }
    return joined(first, openai_logprobs(tokens, top))


def joined(first: dict[str, list[object]], second: dict[str, list[object]]) -> dict[str, list[object]]:
    """Returns the log-probabilities of two texts one after the other."""
    return {name: [*values, *second[name]] for name, values in first.items()}


def empty_logprobs() -> dict[str, list[object]]:
    """Returns the log-probabilities of no tokens."""
    return {"tokens": [], "token_logprobs": [], "top_logprobs": [], "text_offset": []}
