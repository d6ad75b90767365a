"""Which pages of other origins may ask from browsers (https://fetch.spec.whatwg.org, CORS)."""

from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

from service.headers import secured


class Cors(CORSMiddleware):
    """Around all else, so that a page can read every answer, that to a crash too.

    Without credentials: a key goes into a header, and there are no cookies.
    """

    def __init__(self, app: ASGIApp, *, origins: Collection[str]) -> None:
        """`origins` such as https://example.com; * stands for any."""
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "X-API-Key", "X-Request-ID"],
            expose_headers=["Retry-After", "X-Request-ID"],
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        """The answer to a browser that asks whether it may ask; it never reaches the service."""
        response = super().preflight_response(request_headers)
        response.raw_headers = secured(response.raw_headers)
        return response
