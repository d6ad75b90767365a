"""What browsers show: the web page, Swagger UI, and their files."""

from pathlib import Path
from typing import Any

from fastapi import APIRouter
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

STATIC = Path(__file__).parent / "static"

# Nothing inline and nothing from elsewhere; pictures that people chose have blob: URLs.
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)

# Swagger UI sets style attributes, draws its icons from data: URLs, and answers from blob: URLs.
_DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)

pages = APIRouter(include_in_schema=False)


@pages.get("/")
async def page() -> Response:
    """The web page."""
    headers = {
        "Content-Security-Policy": _PAGE_POLICY,
        "Permissions-Policy": "camera=(self)",
        "Cache-Control": "no-cache",
    }
    return FileResponse(STATIC / "index.html", headers=headers)


@pages.get("/docs")
async def docs() -> Response:
    """Swagger UI."""
    headers = {"Content-Security-Policy": _DOCS_POLICY, "Cache-Control": "no-cache"}
    return FileResponse(STATIC / "swagger" / "index.html", headers=headers)


class Files(StaticFiles):
    """The files of a directory that were there at the start; no other name reaches the disk.

    Browsers ask each time whether a file changed, so that none mixes those of two versions.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__(directory=directory)
        files = (file for file in directory.rglob("*") if file.is_file())
        self._names = {str(file.relative_to(directory)) for file in files}

    def lookup_path(self, path: str) -> Any:
        """The file of that name, as starlette has it."""
        return super().lookup_path(path) if path in self._names else ("", None)

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """The answer with a file, as starlette has it."""
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        return response
