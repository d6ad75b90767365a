"""mien's inference service: faces in a photo, and which of seven expressions each one shows."""

from importlib.metadata import version

__version__ = version("mien")
