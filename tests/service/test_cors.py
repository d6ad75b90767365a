"""Pages of other origins, as a browser would ask for them."""

import pytest
from starlette.testclient import TestClient

from service.keys import hash_key
from tests.service.front import FakePipeline, serving

OURS = ["https://example.com", "http://localhost:3000"]


def preflight(
    client: TestClient, origin: str, method: str = "POST", headers: str = "content-type,x-api-key"
) -> dict[str, str]:
    """What a browser learns, by the rest of each header's name."""
    answer = client.options(
        "/predict",
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": headers,
        },
    )
    assert answer.headers["x-content-type-options"] == "nosniff"
    return {
        "status": str(answer.status_code),
        **{
            name.removeprefix("access-control-allow-"): value
            for name, value in answer.headers.items()
            if name.startswith("access-control-allow-")
        },
    }


@pytest.mark.parametrize("path", ["/predict", "/health/live", "/nowhere"])
def test_by_default_no_other_page_may_ask(path: str) -> None:
    with serving(FakePipeline()) as client:
        asks = {"Origin": OURS[0], "Access-Control-Request-Method": "POST"}
        answers = [
            client.options(path, headers=asks),
            client.post(path, content=b"x", headers={"Origin": OURS[0]}),
        ]

    assert answers[0].status_code in (404, 405)
    for answer in answers:
        assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("origin", OURS)
def test_pages_of_chosen_origins_may_ask_and_read_every_answer(origin: str) -> None:
    with serving(FakePipeline(), cors_origins=OURS) as client:
        allowed = preflight(client, origin)
        answers = {
            content: client.post("/predict", content=content, headers={"Origin": origin})
            for content in (b"x", b"broken", b"crash")
        }

    assert (allowed["status"], allowed["origin"]) == ("200", origin)
    assert allowed["methods"] == "GET, POST"
    assert "X-API-Key" in allowed["headers"]
    assert "credentials" not in allowed
    assert [answer.status_code for answer in answers.values()] == [200, 400, 500]
    for answer in answers.values():
        assert answer.headers["access-control-allow-origin"] == origin
        assert answer.headers["access-control-expose-headers"] == "Retry-After, X-Request-ID"
        assert "Origin" in answer.headers["vary"]
        assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(
    "origin",
    ["https://example.com.evil.org", "https://evil.org", "http://example.com", "null"],
)
def test_pages_of_other_origins_may_not(origin: str) -> None:
    with serving(FakePipeline(), cors_origins=OURS) as client:
        refused = preflight(client, origin)
        answer = client.post("/predict", content=b"x", headers={"Origin": origin})

    assert refused["status"] == "400"
    assert "origin" not in refused
    assert "access-control-allow-origin" not in answer.headers


def test_no_page_may_ask_for_more_than_there_is() -> None:
    with serving(FakePipeline(), cors_origins=OURS) as client:
        assert preflight(client, OURS[0], method="DELETE")["status"] == "400"
        assert preflight(client, OURS[0], headers="x-other")["status"] == "400"


def test_any_origin_may_ask_where_that_is_chosen() -> None:
    with serving(FakePipeline(), cors_origins=["*"]) as client:
        answer = client.post("/predict", content=b"x", headers={"Origin": "https://example.org"})

    assert answer.headers["access-control-allow-origin"] == "*"


def test_a_preflight_needs_no_key_and_the_request_does() -> None:
    with serving(FakePipeline(), cors_origins=OURS, api_keys=[hash_key("a-key")]) as client:
        asked = preflight(client, OURS[0])
        answer = client.post("/predict", content=b"x", headers={"Origin": OURS[0]})

    assert asked["status"] == "200"
    assert answer.status_code == 401
    assert answer.headers["access-control-allow-origin"] == OURS[0]
