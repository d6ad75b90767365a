"""The door, as clients meet it: keys, and how often one of them may ask."""

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from service.keys import hash_key
from tests.service.front import FakePipeline, paths_of, serving

JPEG = {"Content-Type": "image/jpeg"}
KEY, OTHER = "a-key", "another-key"
HASHES = [hash_key(KEY), hash_key(OTHER)]
GUARDED = {"/predict", "/predict/batch", "/explain"}


@pytest.fixture
def pipeline() -> FakePipeline:
    return FakePipeline()


@pytest.fixture
def client(pipeline: FakePipeline) -> Iterator[TestClient]:
    with serving(pipeline, api_keys=HASHES, max_body_bytes=5000) as client:
        yield client


@pytest.mark.parametrize("path", sorted(GUARDED))
def test_without_a_key_nothing_is_read_or_analysed(
    client: TestClient, pipeline: FakePipeline, path: str
) -> None:
    for headers in (JPEG, {**JPEG, "X-API-Key": "wrong"}, {**JPEG, "Authorization": "Bearer x"}):
        # Also what is wrong in other ways, and too large, is first of all not allowed.
        answer = client.post(f"{path}?nonsense=1", content=b"x" * 9999, headers=headers)

        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == 'Bearer realm="mien"'
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] == "unauthorized"
        assert KEY not in answer.text
    assert pipeline.calls == []


@pytest.mark.parametrize("key", [KEY, OTHER])
@pytest.mark.parametrize("header", ["X-API-Key: {}", "Authorization: Bearer {}"])
def test_with_a_key_it_is(client: TestClient, key: str, header: str) -> None:
    name, value = header.format(key).split(": ")

    answer = client.post("/predict", content=b"x", headers={**JPEG, name: value})

    assert answer.status_code == 200


def test_a_new_route_is_guarded_or_named_here(client: TestClient) -> None:
    """Whoever adds a route has to decide whether it needs a key; the document has not all."""
    paths = paths_of(client.app.routes)  # type: ignore[attr-defined]  # it is ours
    guarded = {path for path in paths if client.post(path).status_code == 401}

    assert guarded == GUARDED
    assert paths - guarded == {
        *("/", "/docs", "/static", "/openapi.json", "/model", "/metrics"),
        *("/health/live", "/health/ready"),
    }


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/openapi.json", "/static/main.js", "/model", "/health/live", "/metrics"]
)
def test_what_shows_nothing_of_anybody_needs_no_key(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 200


def test_swagger_ui_can_send_a_key_where_one_is_wanted(client: TestClient) -> None:
    document = client.get("/openapi.json").json()

    schemes = document["components"]["securitySchemes"]
    assert schemes == {
        "bearer": {"type": "http", "scheme": "bearer"},
        "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }
    either: list[dict[str, list[str]]] = [{"bearer": []}, {"key": []}]
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation.get("security") == (either if path in GUARDED else None), path


def test_without_keys_everybody_may_ask_and_the_document_says_so() -> None:
    with serving(FakePipeline()) as client:
        answer = client.post("/predict", content=b"x", headers=JPEG)
        document = client.get("/openapi.json").json()

    assert answer.status_code == 200
    assert "securitySchemes" not in document["components"]


def test_no_key_and_no_hash_is_logged(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    for key in (KEY, "a-wrong-key"):
        client.post("/predict", content=b"x", headers={**JPEG, "X-API-Key": key})

    told = " ".join(str(vars(record)) for record in caplog.records)
    assert told.count("/predict") >= 2
    for secret in (KEY, "a-wrong-key", *HASHES):
        assert secret not in told


# ---- how often -----------------------------------------------------------------------------------


def ask(client: TestClient, path: str = "/predict", **headers: str) -> Any:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post(path, content=b"x", headers={**JPEG, **sent})


def test_who_asks_too_often_is_refused_for_a_while() -> None:
    with serving(FakePipeline(), rate_limit_per_minute=3) as client:
        answers = [ask(client) for _ in range(4)]
        scrape = client.get("/metrics").text
        probes = [client.get("/health/live").status_code for _ in range(9)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    refused = answers[-1]
    assert refused.json()["code"] == "rate_limited"
    assert 1 <= int(refused.headers["retry-after"]) <= 20
    assert 'mien_requests_shed_total{reason="rate_limited"} 1.0' in scrape
    assert probes == [200] * 9


def test_all_that_costs_counts_together() -> None:
    with serving(FakePipeline(), rate_limit_per_minute=3) as client:
        form = [("files", b"x")] * 3  # a batch is one request
        kinds = [
            client.post("/predict", content=b"", headers=JPEG),  # a mistake is a request too
            client.post("/predict/batch", files=form),
            ask(client, "/explain"),
            ask(client, "/explain"),
        ]

    assert [answer.status_code for answer in kinds] == [400, 200, 200, 429]


def test_each_key_has_its_own_limit() -> None:
    with serving(FakePipeline(), rate_limit_per_minute=1, api_keys=HASHES) as client:
        answers = [ask(client, X_API_Key=key) for key in (KEY, KEY, OTHER, "wrong", "wrong")]

    assert [answer.status_code for answer in answers] == [200, 429, 200, 401, 401]
