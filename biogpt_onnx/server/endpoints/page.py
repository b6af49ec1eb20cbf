"""The page: three files, which hold nothing of anybody."""

from biogpt_onnx.server.http.call import Call
from biogpt_onnx.server.http.endpoint import Content, Handler
from biogpt_onnx.server.page.files import PAGE_FILES, PAGE_HEADERS


def page_file(path: str) -> Handler:
    """Returns what answers requests for a file of the page.

    Args:
        path: its address, one of `PAGE_FILES`.
    """
    file = PAGE_FILES[path]
    headers = dict(PAGE_HEADERS) | {"ETag": file.etag}

    async def send(call: Call) -> Content:
        if call.header("if-none-match") == file.etag:
            return Content(b"", file.content_type, 304, headers)
        return Content(file.content, file.content_type, headers=headers)

    return send
