import asyncio
import json
import logging
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient
from starlette.types import Message

from service.errors import Draining, InferenceFailed, Overloaded, ServiceError
from tests.service.fakes import PATIENCE_S
from tests.service.front import LABELS, PICTURE, FakePipeline, application, serving

JPEG = {"Content-Type": "image/jpeg"}


@pytest.fixture
def pipeline() -> FakePipeline:
    return FakePipeline()


@pytest.fixture
def client(pipeline: FakePipeline) -> Iterator[TestClient]:
    with serving(pipeline, max_concurrent_requests=2, max_body_bytes=5000) as client:
        yield client


def test_predict_answers_what_the_pipeline_found(client: TestClient) -> None:
    answer = client.post("/predict", content=b"photo", headers=JPEG)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    found = answer.json()
    assert found == {
        "faces": [
            {
                "box": {"x": 10.5, "y": 20.25, "w": 30.0, "h": 40.0},
                "face_confidence": 0.97,
                "landmarks": {
                    "right_eye": [0.0, 1.0],
                    "left_eye": [2.0, 3.0],
                    "nose": [4.0, 5.0],
                    "mouth_right": [6.0, 7.0],
                    "mouth_left": [8.0, 9.0],
                },
                "dominant_emotion": "happy",
                "confidence": 0.9,
                "uncertain": False,
                "emotion": {
                    "angry": 0.01,
                    "disgust": 0.02,
                    "fear": 0.03,
                    "happy": 0.9,
                    "sad": 0.01,
                    "surprise": 0.02,
                    "neutral": 0.01,
                },
            }
        ],
        "image": {"width": 64, "height": 48},
        "model": {"name": "expression", "version": "1.2.3"},
        "timing_ms": {"decode": 2.0, "detect": 5.0, "queue": 0.1, "inference": 0.9, "total": 8.8},
        "request_id": answer.headers["x-request-id"],
    }


def test_predict_takes_a_form(client: TestClient) -> None:
    for field in ("file", "img"):
        answer = client.post("/predict", files={field: ("me.jpg", b"photo", "image/jpeg")})

        assert answer.status_code == 200, answer.text


def test_without_detection_the_whole_image_is_the_face(client: TestClient) -> None:
    (face,) = client.post("/predict?detect=false", content=b"x", headers=JPEG).json()["faces"]

    assert face["box"] == {"x": 0, "y": 0, "w": 64, "h": 48}
    assert face["face_confidence"] is None
    assert face["landmarks"] is None
    assert list(face["emotion"]) == list(LABELS)


def test_options_reach_the_pipeline(client: TestClient, pipeline: FakePipeline) -> None:
    client.post("/predict", content=b"x", headers=JPEG)
    query = "detect=0&max_faces=3&min_face_size=40.5&rotate=1"
    client.post(f"/predict?{query}", content=b"x", headers=JPEG)

    assert pipeline.calls == [
        {"detect": True, "max_faces": 100, "size": 20.0, "rotate": False},
        {"detect": False, "max_faces": 3, "size": 40.5, "rotate": True},
    ]


@pytest.mark.parametrize(
    "query",
    [
        *(
            "detect=perhaps",
            "detct=1",
            "max_faces=0",
            "max_faces=1001",
            "max_faces=x",
            "max_faces=",
        ),
        *("min_face_size=0", "min_face_size=nan", "min_face_size=inf"),
    ],
)
@pytest.mark.parametrize("path", ["/predict", "/predict/batch", "/explain"])
def test_a_wrong_option_is_named(client: TestClient, path: str, query: str) -> None:
    answer = client.post(f"{path}?{query}", content=b"x", headers=JPEG)

    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid_parameter"
    assert query.partition("=")[0] in answer.json()["detail"]


def test_an_error_of_the_pipeline_is_a_problem(client: TestClient) -> None:
    answer = client.post("/predict", content=b"broken", headers=JPEG)

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "/docs#undecodable_image",
        "title": "Undecodable image",
        "status": 400,
        "detail": "This is no image.",
        "instance": answer.headers["x-request-id"],
        "code": "undecodable_image",
    }


def test_a_batch_keeps_its_order_and_its_problems_apart(client: TestClient) -> None:
    images = [b"photo", b"broken", b"crash", b"photo"]

    answer = client.post("/predict/batch", files=[("files", image) for image in images])
    scrape = client.get("/metrics").text.splitlines()

    assert answer.status_code == 200
    for code, count in (("undecodable_image", 1), ("internal_error", 1), ("inference_failed", 0)):
        assert f'mien_image_problems_total{{code="{code}"}} {count}.0' in scrape
    results = answer.json()["results"]
    assert [result.get("code") for result in results] == [
        None,
        "undecodable_image",
        "internal_error",
        None,
    ]
    assert results[0]["faces"][0]["dominant_emotion"] == "happy"
    assert "secret" not in answer.text
    assert {result.get("instance", answer.json()["request_id"]) for result in results} == {
        answer.headers["x-request-id"]
    }


def test_an_image_that_is_refused_unread_leaves_the_rest_of_its_batch_alone(
    client: TestClient, pipeline: FakePipeline
) -> None:
    parts = [
        ("me.jpg", b"photo", "image/jpeg"),
        ("me.heic", b"x", "image/heic"),
        ("empty.jpg", b"", "image/jpeg"),
    ]

    answer = client.post("/predict/batch", files=[("files", part) for part in parts])

    results = answer.json()["results"]
    codes = [None, "unsupported_media_type", "bad_request"]
    assert (answer.status_code, [result.get("code") for result in results]) == (200, codes)
    assert len(pipeline.calls) == 1


def test_a_batch_has_a_limit(pipeline: FakePipeline) -> None:
    with serving(pipeline, max_batch_images=2) as client:
        answer = client.post("/predict/batch", files=[("files", b"photo")] * 3)

    assert (answer.status_code, answer.json()["code"]) == (413, "too_many_images")
    assert pipeline.calls == []


@pytest.mark.parametrize("error", [Overloaded, Draining, InferenceFailed])
def test_each_image_of_a_batch_may_be_refused(
    pipeline: FakePipeline, error: type[ServiceError]
) -> None:
    pipeline.error = error("No.", retry_after_s=1)
    with serving(pipeline) as client:
        images = [b"a", b"fail", b"fail"]
        answer = client.post("/predict/batch", files=[("files", image) for image in images])
        scrape = client.get("/metrics").text

    codes = [result.get("code") for result in answer.json()["results"]]
    assert codes == [None, error.code, error.code]
    # One request, however many of its images.
    assert (f'mien_requests_shed_total{{reason="{error.code}"}} 1.0' in scrape) is (
        error.status == 503
    )


@pytest.mark.parametrize("path", ["/predict", "/predict/batch", "/explain"])
def test_why_a_model_failed_is_logged_under_the_id_of_the_request(
    pipeline: FakePipeline, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    pipeline.error = InferenceFailed("The face detector failed.")
    pipeline.error.__cause__ = RuntimeError("bad allocation")
    caplog.set_level(logging.INFO, "service.logs")
    with serving(pipeline) as client:
        files = [("files" if path.endswith("batch") else "file", b"fail")]
        client.post(path, files=files, headers={"X-Request-ID": "abc-1"})

    failure, request = (record for record in caplog.records if record.name == "service.logs")
    assert failure.levelname == "ERROR"
    assert vars(failure)["fields"] == {"request_id": "abc-1"}
    assert "bad allocation" in logging.Formatter().format(failure)
    assert vars(request)["fields"]["code"] == "inference_failed"


def test_a_full_service_refuses_at_once_and_still_answers_probes(
    client: TestClient, pipeline: FakePipeline
) -> None:
    pipeline.gate.clear()
    with ThreadPoolExecutor() as others:
        held = [others.submit(client.post, "/predict", content=b"x", headers=JPEG) for _ in "12"]
        for _ in held:
            assert pipeline.entered.acquire(timeout=PATIENCE_S)

        refused = client.post("/predict", content=b"x" * 9999, headers=JPEG)
        probes = [client.get(path).status_code for path in ("/health/live", "/health/ready")]
        scrape = client.get("/metrics").text
        pipeline.gate.set()

    assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
    assert refused.headers["retry-after"] == "1"
    assert probes == [200, 200]
    assert 'mien_requests_shed_total{reason="overloaded"} 1.0' in scrape
    assert [answer.result().status_code for answer in held] == [200, 200]
    assert client.post("/predict", content=b"x", headers=JPEG).status_code == 200


def test_a_failed_request_gives_its_place_back(client: TestClient) -> None:
    for content in [b"broken", b"crash", b"", b"x" * 9999] * 3:
        assert client.post("/predict", content=content, headers=JPEG).status_code in (400, 413, 500)

    assert client.post("/predict", content=b"x", headers=JPEG).status_code == 200


@pytest.mark.parametrize("path", ["/predict", "/predict/batch", "/explain"])
def test_the_deadline_ends_a_request_while_it_is_worked_on(
    pipeline: FakePipeline, path: str
) -> None:
    pipeline.gate.clear()
    with serving(pipeline, deadline_s=0.5, max_concurrent_requests=1) as client:
        field = "files" if path.endswith("batch") else "file"
        late = client.post(path, files=[(field, b"x")])
        assert pipeline.cancelled.acquire(timeout=PATIENCE_S)
        pipeline.gate.set()
        next_one = client.post("/predict", content=b"x", headers=JPEG)
        scrape = client.get("/metrics").text

    assert (late.status_code, late.json()["code"]) == (504, "deadline_exceeded")
    assert next_one.status_code == 200
    assert 'mien_requests_shed_total{reason="deadline_exceeded"} 1.0' in scrape


@pytest.mark.anyio
@pytest.mark.parametrize("path", ["/predict", "/predict/batch", "/explain"])
async def test_a_client_that_leaves_is_not_worked_for(pipeline: FakePipeline, path: str) -> None:
    form = b'--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\nx\r\n--b--'
    body = form % (b"files" if path.endswith("batch") else b"file")
    messages: list[Message] = [{"type": "http.request", "body": body}]
    sent: list[Message] = []

    async def receive() -> Message:
        if messages:
            return messages.pop()
        if pipeline.gate.is_set():
            await asyncio.Event().wait()  # a client that stays
        await asyncio.to_thread(pipeline.entered.acquire, timeout=PATIENCE_S)
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    async def ask(app: FastAPI, state: Any) -> None:
        headers = [(b"content-type", b"multipart/form-data; boundary=b")]
        scope = {"type": "http", "method": "POST", "path": path, "query_string": b""}
        await app({**scope, "headers": headers, "state": dict(state)}, receive, send)

    app = application(pipeline, max_concurrent_requests=1)
    async with app.router.lifespan_context(app) as state:
        pipeline.gate.clear()
        await ask(app, state)
        assert pipeline.cancelled.acquire(timeout=PATIENCE_S)
        assert sent == []

        pipeline.gate.set()
        messages.append({"type": "http.request", "body": body})
        await ask(app, state)
        assert sent[0]["status"] == 200


def test_explain_answers_what_predict_does_and_a_map(client: TestClient) -> None:
    (face,) = client.post("/predict", content=b"photo", headers=JPEG).json()["faces"]

    answer = client.post("/explain", content=b"photo", headers=JPEG)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["vary"] == "Accept"
    explanation = answer.json()
    (explained,) = explanation["faces"]
    assert explained.pop("heat") == {
        "class": "happy",
        "frame": {"x": -4.0, "y": 12.35, "w": 50.0, "h": 50.0},
        "roll": 0.0,
        "size": [2, 3],
        "values": [[0.0, 0.25, 1.0], [0.1235, 0.0, 0.0]],
    }
    assert explained == face
    assert list(explanation) == ["faces", "image", "model", "timing_ms", "request_id"]


def test_explain_draws_for_who_accepts_a_picture(client: TestClient) -> None:
    for field in ("file", "img"):
        form = {field: ("me.jpg", b"photo", "image/jpeg")}
        answer = client.post("/explain", files=form, headers={"Accept": "image/png"})

        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "image/png"
        assert answer.headers["vary"] == "Accept"
        assert answer.content == PICTURE
        assert answer.headers["x-request-id"]


def test_a_problem_is_a_problem_also_for_who_accepts_a_picture(client: TestClient) -> None:
    answer = client.post("/explain", content=b"broken", headers={**JPEG, "Accept": "image/png"})

    assert (answer.status_code, answer.json()["code"]) == (400, "undecodable_image")
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_options_of_explain_reach_the_pipeline(
    client: TestClient, pipeline: FakePipeline
) -> None:
    query = "class=fear&boxes=false&detect=0&max_faces=2&min_face_size=30&rotate=1"
    client.post("/explain", content=b"x", headers=JPEG)
    client.post(f"/explain?{query}", content=b"x", headers={**JPEG, "Accept": "image/png"})

    seen = {"detect": True, "max_faces": 100, "size": 20.0, "rotate": False}
    asked = {"detect": False, "max_faces": 2, "size": 30.0, "rotate": True}
    assert pipeline.calls == [
        {**seen, "label": None, "draw": False, "boxes": True},
        {**asked, "label": "fear", "draw": True, "boxes": False},
    ]


@pytest.mark.parametrize("label", ["bored", "", "Happy", "happy,fear"])
def test_a_label_that_the_model_has_not_is_refused_with_those_it_has(
    client: TestClient, pipeline: FakePipeline, label: str
) -> None:
    answer = client.post("/explain", params={"class": label}, content=b"x", headers=JPEG)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_parameter")
    assert f"class: expected one of {', '.join(LABELS)}" in answer.json()["detail"]
    assert pipeline.calls == []


@pytest.mark.parametrize("query", ["label=happy", "boxes=perhaps", "clas=happy"])
def test_a_wrong_option_of_explain_is_named(client: TestClient, query: str) -> None:
    answer = client.post(f"/explain?{query}", content=b"x", headers=JPEG)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_parameter")
    assert f"{query.partition('=')[0]}: " in answer.json()["detail"]


def test_predict_explains_nothing(client: TestClient) -> None:
    assert client.post("/predict?class=happy", content=b"x", headers=JPEG).status_code == 422


def test_the_log_of_a_picture_tells_the_time_of_drawing(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    client.post("/explain", content=b"x", headers={**JPEG, "Accept": "image/png"})
    client.post("/explain", content=b"x", headers=JPEG)

    drawn, told = (
        vars(record)["fields"] for record in caplog.records if record.message == "request"
    )
    assert (drawn["route"], drawn["faces"], drawn["bytes"]) == ("/explain", 1, 1)
    assert drawn["timing_ms"]["draw"] == 4.0
    assert "draw" not in told["timing_ms"]


def test_live_and_ready(client: TestClient) -> None:
    assert client.get("/health/live").json() == {"status": "live"}
    assert client.get("/health/ready").json() == {"status": "ready"}


def test_not_ready_while_a_worker_is_replaced(client: TestClient, pipeline: FakePipeline) -> None:
    pipeline.healthy = False

    answer = client.get("/health/ready")

    assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
    assert client.get("/health/live").status_code == 200
    shed = re.findall(r"^mien_requests_shed_total{.* (\S+)$", client.get("/metrics").text, re.M)
    assert set(shed) == {"0.0"}


def test_model_tells_what_is_loaded(client: TestClient) -> None:
    models = client.get("/model").json()

    assert models["expression"]["labels"] == list(LABELS)
    assert models["expression"]["files"] == {"model.onnx": "ab" * 32}
    assert models["detector"]["version"] == "4.5.6"


def test_metrics_name_the_route_and_the_model(client: TestClient) -> None:
    client.post("/predict?max_faces=7", content=b"x", headers=JPEG)
    client.get("/no/such/path")
    client.get("/static/swagger/start.js")

    answer = client.get("/metrics")

    assert answer.headers["content-type"].startswith("text/plain; version=")
    lines = answer.text.splitlines()
    assert 'mien_requests_total{method="POST",route="/predict",status="200"} 1.0' in lines
    assert 'mien_requests_total{method="GET",route="unmatched",status="404"} 1.0' in lines
    assert 'mien_requests_total{method="GET",route="/static",status="200"} 1.0' in lines
    assert f'mien_model_info{{name="expression",sha256="{"ab" * 32}",version="1.2.3"}} 1.0' in lines


def test_metrics_tell_how_long_images_wait_for_their_answer(client: TestClient) -> None:
    form = [("files", ("a.jpg", b"a", "image/jpeg"))]
    client.post("/predict", content=b"x", headers=JPEG)
    client.post("/predict", content=b"", headers=JPEG)
    client.post("/predict/batch", files=form)
    client.post("/explain", content=b"x", headers=JPEG)

    lines = client.get("/metrics").text.splitlines()
    counted = [line for line in lines if line.startswith("mien_answer_duration_seconds_count{")]
    assert sorted(counted) == [
        f'mien_answer_duration_seconds_count{{route="{route}"}} 1.0'
        for route in ("/explain", "/predict", "/predict/batch")
    ]


def test_the_answers_are_what_the_document_says(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    schema = document["components"]["schemas"]["Prediction"]

    found = client.post("/predict", content=b"x", headers=JPEG).json()

    assert set(found) == set(schema["required"])
    assert json.dumps(schema).count("additionalProperties")
