"""What browsers show: the web page, Swagger UI, and their files."""

from pathlib import Path
from typing import Any

from fastapi import APIRouter
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

STATIC = Path(__file__).parent / "static"

_NO_PARTS = {"Accept-Ranges": "none"}

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


def _whole(scope: Scope) -> Scope:
    """The request for all of a file, if it was for a part: who asks may get that, too.

    These files are small, and Starlette's refusals of a part are no problem documents.
    Source: RFC 9110, section 14.2.
    """
    headers = [(name, value) for name, value in scope["headers"] if name != b"range"]
    return {**scope, "headers": headers}


class Page(FileResponse):
    """A page that browsers show. They ask each time whether it changed."""

    def __init__(self, path: Path, headers: dict[str, str]) -> None:
        super().__init__(path, headers=headers | {"Cache-Control": "no-cache", **_NO_PARTS})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await super().__call__(_whole(scope), receive, send)


pages = APIRouter(include_in_schema=False)


@pages.api_route("/", methods=["GET", "HEAD"])
async def page() -> Response:
    """The web page."""
    policies = {"Content-Security-Policy": _PAGE_POLICY, "Permissions-Policy": "camera=(self)"}
    return Page(STATIC / "index.html", policies)


@pages.api_route("/docs", methods=["GET", "HEAD"])
async def docs() -> Response:
    """Swagger UI."""
    return Page(STATIC / "swagger" / "index.html", {"Content-Security-Policy": _DOCS_POLICY})


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
        response.headers.update({"Cache-Control": "no-cache", **_NO_PARTS})
        return response

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await super().__call__(_whole(scope), receive, send)
