"""The whole application in process: every path's errors, the documentation, start and end."""

import hashlib
import json
import re
import threading
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from starlette.testclient import TestClient

from service import errors
from service.admission import Admission
from service.analysis import Pipeline
from service.app import create_app, load_pipeline
from service.errors import ModelError, ServiceError
from service.metrics import Metrics
from service.pages import STATIC
from service.schemas import (
    BatchPrediction,
    Explanation,
    Health,
    ModelReport,
    Models,
    Prediction,
)
from service.settings import Settings
from tests.service.fakes import PATIENCE_S
from tests.service.front import MODELS, FakePipeline, application, serving

JPEG = {"Content-Type": "image/jpeg"}


@pytest.fixture
def client() -> Iterator[TestClient]:
    with serving(FakePipeline(), max_body_bytes=5000) as client:
        yield client


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "code"),
    [
        ("GET", "/nowhere", b"", 404, "not_found"),
        ("POST", "/nowhere", b"x", 404, "not_found"),
        ("POST", "/predict/", b"x", 404, "not_found"),
        ("GET", "/static/nowhere", b"", 404, "not_found"),
        ("GET", "/static/..%2fapp.py", b"", 404, "not_found"),
        ("GET", "/static/%2e%2e/app.py", b"", 404, "not_found"),
        ("GET", "/predict", b"", 405, "method_not_allowed"),
        ("DELETE", "/model", b"", 405, "method_not_allowed"),
        ("POST", "/metrics", b"x", 405, "method_not_allowed"),
        ("POST", "/static/swagger/start.js", b"x", 405, "method_not_allowed"),
        ("POST", "/predict", b"", 400, "bad_request"),
        ("POST", "/predict", b"broken", 400, "undecodable_image"),
        ("POST", "/predict", b"x" * 5001, 413, "payload_too_large"),
        ("POST", "/predict/batch", b"x", 415, "unsupported_media_type"),
        ("POST", "/predict?max_faces=0", b"x", 422, "invalid_parameter"),
        ("POST", "/predict", b"crash", 500, "internal_error"),
        ("GET", "/explain", b"", 405, "method_not_allowed"),
        ("POST", "/explain", b"x" * 5001, 413, "payload_too_large"),
        ("POST", "/explain?class=bored", b"x", 422, "invalid_parameter"),
        ("POST", "/explain", b"crash", 500, "internal_error"),
    ],
)
def test_every_error_is_a_problem(
    client: TestClient, method: str, path: str, content: bytes, status: int, code: str
) -> None:
    answer = client.request(method, path, content=content, headers=JPEG)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert set(problem) == {"type", "title", "status", "detail", "instance", "code"}
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["type"] == f"/docs#{code}"
    assert problem["instance"] == answer.headers["x-request-id"]
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *[("GET", path) for path in ("/", "/docs", "/static/main.js", "/openapi.json", "/model")],
        *[("GET", path) for path in ("/health/live", "/metrics", "/nowhere", "/static/nowhere")],
        *[("POST", path) for path in ("/predict", "/predict/batch", "/explain", "/model")],
    ],
)
def test_every_answer_tells_browsers_what_not_to_do(
    client: TestClient, method: str, path: str
) -> None:
    for content in (b"x", b"crash"):
        headers = client.request(method, path, content=content, headers=JPEG).headers

        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; ")
        assert policy.endswith("frame-ancestors 'none'")
        page = path in ("/", "/docs", "/static/main.js")
        assert headers["cache-control"] == ("no-cache" if page else "no-store")
        assert len(headers.get_list("cache-control")) == 1


def test_a_wrong_method_is_told_the_right_one(client: TestClient) -> None:
    assert client.get("/predict").headers["allow"] == "POST"


def test_a_slow_body_ends_its_connection() -> None:
    class Slow(FakePipeline):
        async def analyze(self, *_: Any, **__: Any) -> Any:
            raise errors.BodyTimeout("Too slow.")

    with serving(Slow()) as client:
        answer = client.post("/predict", content=b"x", headers=JPEG)

    assert (answer.status_code, answer.headers["connection"]) == (408, "close")


def test_readiness_ends_with_draining_but_requests_are_served() -> None:
    admission = Admission(8)
    with TestClient(application(FakePipeline(), admission=admission)) as client:
        assert client.get("/health/ready").status_code == 200
        admission.drain()

        ready = client.get("/health/ready")
        served = client.post("/predict", content=b"x", headers=JPEG)
        live = client.get("/health/live")

    assert (ready.status_code, ready.json()["code"]) == (503, "draining")
    assert (served.status_code, live.status_code) == (200, 200)
    assert served.headers["connection"] == "close"


def test_the_pipeline_is_open_as_long_as_the_application() -> None:
    events: list[str] = []

    @asynccontextmanager
    async def load(*_: object) -> AsyncIterator[tuple[Pipeline, Models]]:
        events.append("open")
        yield FakePipeline(), MODELS
        events.append("closed")

    app = create_app(Settings(), load=load)
    assert events == []
    with TestClient(app):
        assert events == ["open"]
    assert events == ["open", "closed"]


def test_a_model_that_cannot_be_used_stops_the_start(tmp_path: Path) -> None:
    app = create_app(Settings(models_dir=tmp_path))

    with pytest.raises(ModelError, match=re.escape(Settings().expression_model)), TestClient(app):
        pass


def test_metrics_with_a_port_of_their_own_are_not_on_this_one() -> None:
    with serving(FakePipeline(), metrics_port=9000) as client:
        assert client.get("/metrics").status_code == 404
        assert "/metrics" not in client.get("/openapi.json").json()["paths"]
        assert client.get("/health/ready").status_code == 200


class ScriptedPipeline(FakePipeline):
    """Its health is what a script says, look by look."""

    def __init__(self, script: Iterable[bool]) -> None:
        self._script = iter(script)

    @property
    def healthy(self) -> bool:  # type: ignore[override]
        return next(self._script)


def test_what_stays_unhealthy_is_given_up_and_what_recovers_is_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    lost, looks = threading.Event(), []

    def script() -> Iterator[bool]:
        for health in [*([False] * 9 + [True]) * 3, *[False] * 10]:
            looks.append(lost.is_set())
            yield health

    @asynccontextmanager
    async def load(*_: object) -> AsyncIterator[tuple[Pipeline, Models]]:
        yield ScriptedPipeline(script()), MODELS

    with TestClient(create_app(Settings(), load=load, lost=lost.set, patience_s=0.01)):
        assert lost.wait(PATIENCE_S)

    assert looks == [False] * 40
    assert [record.levelname for record in caplog.records].count("CRITICAL") == 1


# ---- documentation -------------------------------------------------------------------------------


@pytest.fixture
def document(client: TestClient) -> dict[str, Any]:
    answer: dict[str, Any] = client.get("/openapi.json").json()
    return answer


def test_every_route_is_documented(document: dict[str, Any]) -> None:
    assert set(document["paths"]) == {
        *("/predict", "/predict/batch", "/explain", "/model"),
        *("/health/live", "/health/ready", "/metrics"),
    }
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["summary"], path
            assert operation["description"], path


def test_the_bodies_are_documented(document: dict[str, Any]) -> None:
    one = document["paths"]["/predict"]["post"]["requestBody"]
    several = document["paths"]["/predict/batch"]["post"]["requestBody"]

    assert one["required"] is True
    assert set(one["content"]) == {"image/jpeg", "image/png", "image/webp", "multipart/form-data"}
    assert one["content"]["multipart/form-data"]["schema"]["required"] == ["file"]
    assert set(several["content"]) == {"multipart/form-data"}
    assert several["content"]["multipart/form-data"]["schema"]["required"] == ["files"]


def test_both_forms_of_an_explanation_are_documented(document: dict[str, Any]) -> None:
    content = document["paths"]["/explain"]["post"]["responses"]["200"]["content"]

    assert set(content) == {"application/json", "image/png"}


def test_every_answer_has_an_example_that_is_one(document: dict[str, Any]) -> None:
    models: dict[str, type[BaseModel]] = {
        "/predict": Prediction,
        "/predict/batch": BatchPrediction,
        "/explain": Explanation,
        "/health/live": Health,
        "/health/ready": Health,
    }
    for path, operations in document["paths"].items():
        for operation in operations.values():
            content = operation["responses"]["200"]["content"]
            if path == "/metrics":
                assert content["text/plain"]["example"].startswith("mien_")
            elif path == "/model":  # the framework leaves the detector's nulls out
                ModelReport.model_validate(content["application/json"]["example"]["expression"])
            else:
                models[path].model_validate(content["application/json"]["example"])


def test_the_options_are_documented(document: dict[str, Any]) -> None:
    for path in ("/predict", "/predict/batch", "/explain"):
        options = document["paths"][path]["post"]["parameters"]

        names = [option["name"] for option in options]
        assert names[:4] == ["detect", "max_faces", "min_face_size", "rotate"]
        assert names[4:] == (["class", "boxes"] if path == "/explain" else [])
        assert all(option["description"] for option in options)


def test_every_problem_has_an_example(document: dict[str, Any]) -> None:
    seen = set()
    for operations in document["paths"].values():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                if status == "200":
                    continue
                content = response["content"]["application/problem+json"]
                for code, example in content["examples"].items():
                    assert example["value"]["code"] == code
                    assert f"`{code}`" in response["description"]
                    seen.add(code)
    # `unavailable` is only the root of three; `model_error` ends the start.
    assert seen == codes() - {"unavailable", "model_error"}


def codes() -> set[str]:
    def tree(error: type[ServiceError]) -> Iterator[str]:
        yield error.code
        for branch in error.__subclasses__():
            yield from tree(branch)

    return set(tree(ServiceError))


def test_every_code_has_its_place_in_the_description(document: dict[str, Any]) -> None:
    places = re.findall(r'<span id="(\w+)">', document["info"]["description"])

    assert len(places) == len(set(places))
    assert set(places) == codes() - {"unavailable", "model_error"} | {
        "not_found",
        "method_not_allowed",
    }


def test_every_reference_of_the_document_leads_somewhere(document: dict[str, Any]) -> None:
    references = set(re.findall(r'"\$ref": "#/components/schemas/(\w+)"', json.dumps(document)))

    assert references
    assert references <= set(document["components"]["schemas"])


def test_operations_have_plain_names(document: dict[str, Any]) -> None:
    assert document["paths"]["/predict"]["post"]["operationId"] == "predict"


@pytest.mark.parametrize(
    ("path", "beside"),
    [("/", {}), ("/docs", {"style-src": {"'unsafe-inline'"}})],
)
def test_pages_may_load_nothing_from_elsewhere(
    client: TestClient, path: str, beside: dict[str, set[str]]
) -> None:
    policy = client.get(path).headers["content-security-policy"]
    sources = {name: set(of) for name, *of in map(str.split, policy.split(";"))}

    assert sources["default-src"] == {"'none'"}  # what is not named
    for name in ("base-uri", "form-action", "frame-ancestors"):  # for them it does not stand
        assert sources[name] == {"'none'"}
    for name, of in sources.items():
        made_here = {"blob:", "data:"} if name in ("img-src", "media-src") else set()
        assert of <= {"'none'", "'self'", *made_here, *beside.get(name, ())}


def test_the_page_alone_may_see_through_a_camera(client: TestClient) -> None:
    page = client.get("/")

    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["permissions-policy"] == "camera=(self)"


def test_browsers_ask_whether_a_file_changed(client: TestClient) -> None:
    first = client.get("/static/main.js")
    again = client.get("/static/main.js", headers={"If-None-Match": first.headers["etag"]})

    assert first.headers["cache-control"] == again.headers["cache-control"] == "no-cache"
    assert again.status_code == 304


@pytest.mark.parametrize("path", ["/", "/docs", "/static/main.js"])
def test_a_file_comes_whole_whatever_part_is_asked_for(client: TestClient, path: str) -> None:
    whole = client.get(path)
    for part in ("bytes=0-9", "bytes=9999999-", "bytes=abc"):
        answer = client.get(path, headers={"Range": part})
        assert (answer.status_code, answer.content) == (200, whole.content)
    head = client.head(path)

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == whole.headers["content-length"]
    assert head.headers["accept-ranges"] == "none"


def test_the_documentation_needs_no_other_host(client: TestClient) -> None:
    page = client.get("/docs")

    assert page.headers["content-type"] == "text/html; charset=utf-8"
    start = client.get("/static/swagger/start.js")
    for text in (page.text, start.text):
        assert "//" not in re.sub(r"// .*", "", text)
    for asset in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        if not asset.startswith("data:"):
            assert client.get(f"/{asset}").status_code == 200


def test_swagger_ui_is_the_published_one() -> None:
    sums = re.findall(r"\| (\S+) \| ([0-9a-f]{64}) \|", (STATIC / "swagger/README.md").read_text())

    assert len(sums) == 2
    for name, checksum in sums:
        assert hashlib.sha256((STATIC / "swagger" / name).read_bytes()).hexdigest() == checksum


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, 4),
        ({"workers": 2}, 2),
        ({"workers": 3}, 1),
        ({"workers": 8}, 1),
        ({"workers": 2, "threads": 3}, 3),
    ],
)
async def test_processes_share_the_cpus(
    given: dict[str, Any], expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.app.available_cpus", lambda: 4)
    before = set(threading.enumerate())
    async with load_pipeline(Settings(**given), Metrics(version="0"), Admission(1)):
        begun = [thread.name for thread in set(threading.enumerate()) - before]
    assert begun.count("batch-worker") == expected
