"""The address of chats, which BioGPT has none of."""

from typing import NoReturn

from biogpt_onnx.server.http.call import Call
from biogpt_onnx.server.http.errors import ApiError


async def refuse_chat(_call: Call) -> NoReturn:
    """Says that there are no chats, and what there is."""
    raise ApiError(
        404,
        "BioGPT was not trained on chats and has no chat template: send the text to be continued to /v1/completions",
        code="no_chat",
    )
