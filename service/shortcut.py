"""The short way to the endpoints that are asked again and again."""

from collections.abc import Iterable

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from service.errors import ServiceError
from service.problems import on_service_error


class Shortcut:
    """Calls an endpoint that takes the request and nothing else, past FastAPI's machinery.

    FastAPI describes it in the OpenAPI document; its search for the route, its dependencies, exit
    stacks and response models have nothing to do for it, and take a fifth of all that a server adds
    to a photo. What has no short way, such as a wrong method, goes the long one.
    """

    def __init__(self, app: ASGIApp, *, routes: Iterable[BaseRoute]) -> None:
        self.app = app
        self._routes = {
            (method, route.path): route
            for route in routes
            if isinstance(route, APIRoute)
            for method in route.methods or ()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self._routes.get((scope.get("method", ""), scope.get("path", "")))
        if route is None:
            await self.app(scope, receive, send)
            return
        scope["route"] = route
        request = Request(scope, receive)
        try:
            response: Response = await route.endpoint(request)
        except ServiceError as error:
            response = await on_service_error(request, error)
        await response(scope, receive, send)
