import inspect
from collections.abc import Iterator

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from service.errors import Overloaded
from service.logs import Exchange
from service.routes import router as endpoints
from service.shortcut import Shortcut

router = APIRouter()


@router.post("/well")
async def well(request: Request) -> Response:
    assert isinstance(request.scope["route"], APIRoute)
    assert request.scope["route"].path == "/well"
    return PlainTextResponse(await request.body())


@router.post("/busy")
async def busy(request: Request) -> Response:
    raise Overloaded("All places are taken.", retry_after_s=3)


@router.post("/broken")
async def broken(request: Request) -> Response:
    raise RuntimeError("a bug")


class LongWay:
    """FastAPI with the same routes; knows how many requests came to it."""

    def __init__(self) -> None:
        self._app = FastAPI()
        self._app.include_router(router)
        self.requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.requests += scope["type"] == "http"
        await self._app(scope, receive, send)


def with_exchange(app: ASGIApp) -> ASGIApp:
    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"] = {"exchange": Exchange("request-1")}
        await app(scope, receive, send)

    return wrapped


@pytest.fixture
def long_way() -> LongWay:
    return LongWay()


@pytest.fixture
def client(long_way: LongWay) -> Iterator[TestClient]:
    with TestClient(with_exchange(Shortcut(long_way, routes=router.routes))) as client:
        yield client


def test_the_endpoint_answers_without_the_framework(client: TestClient, long_way: LongWay) -> None:
    assert client.post("/well?some=query", content=b"body").text == "body"
    assert long_way.requests == 0


def test_an_error_of_ours_is_a_problem(client: TestClient, long_way: LongWay) -> None:
    answer = client.post("/busy")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "3"
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["instance"] == "request-1"
    assert long_way.requests == 0


def test_any_other_error_goes_on_to_whoever_catches_it(client: TestClient) -> None:
    with pytest.raises(RuntimeError, match="a bug"):
        client.post("/broken")


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/well", 405), ("POST", "/nothing", 404)]
)
def test_what_has_no_short_way_goes_the_long_one(
    client: TestClient, long_way: LongWay, method: str, path: str, status: int
) -> None:
    assert client.request(method, path).status_code == status
    assert long_way.requests == 1


@pytest.mark.parametrize("route", endpoints.routes, ids=lambda route: route.path)
def test_the_framework_has_nothing_to_do_for_an_endpoint(route: APIRoute) -> None:
    assert list(inspect.signature(route.endpoint).parameters) == ["request"]
    assert not route.dependencies
