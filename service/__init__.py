"""mien's inference service: faces in a photo, and which of seven expressions each one shows."""

import os
from importlib.metadata import version

# Published builds of ONNX Runtime report to their maker what they run, and keep an identifier of
# the machine in its home, unless this is set before they are imported (onnxruntime PR 27379).
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

__version__ = version("mien")
