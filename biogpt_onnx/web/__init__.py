"""The page without a server: a bundle packed into a static folder, whose model runs in the browser.

`biogpt-onnx web` writes it. A browser computes by ONNX Runtime's WebAssembly, which comes from npm's package.
"""

from biogpt_onnx.web.packing import pack_page

__all__ = ["pack_page"]
