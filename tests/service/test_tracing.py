"""What a receiver of OTLP over HTTP gets: a real one, in this process."""

import logging
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span, Status
from starlette.testclient import TestClient

from service import __version__
from service.app import create_app
from service.keys import hash_key
from service.settings import Settings
from service.tracing import TracingMiddleware
from tests.service.fakes import PATIENCE_S
from tests.service.front import TIMING, FakePipeline, serving

JPEG = {"Content-Type": "image/jpeg"}
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Receiver:
    """Takes what is posted to /v1/traces, as an OpenTelemetry collector does."""

    def __init__(self) -> None:
        self.got: list[ResourceSpans] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.path == "/v1/traces"
                assert self.headers["Content-Type"] == "application/x-protobuf"
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.extend(ExportTraceServiceRequest.FromString(body).resource_spans)
                self.send_response(200)
                self.end_headers()
                self.wfile.write(ExportTraceServiceResponse().SerializeToString())

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def spans(self) -> list[Span]:
        """All spans, in the order in which they began."""
        spans = [span for one in self.got for scope in one.scope_spans for span in scope.spans]
        return sorted(spans, key=lambda span: (span.start_time_unix_nano, span.end_time_unix_nano))

    @property
    def requests(self) -> list[Span]:
        return [span for span in self.spans if span.kind == Span.SPAN_KIND_SERVER]

    def stages(self, request: Span) -> list[Span]:
        return [span for span in self.spans if span.parent_span_id == request.span_id]

    def __enter__(self) -> "Receiver":
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with Receiver() as receiver:
        endpoint = f"http://127.0.0.1:{receiver.server.server_port}"
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        yield receiver


@contextmanager
def traced(pipeline: FakePipeline | None = None, **settings: Any) -> Iterator[TestClient]:
    """When the block has ended, the receiver has everything."""
    with serving(pipeline or FakePipeline(), **settings) as client:
        yield client


def attributes(span: Span) -> dict[str, Any]:
    return {
        entry.key: getattr(entry.value, str(entry.value.WhichOneof("value")))
        for entry in span.attributes
    }


def milliseconds(span: Span) -> float:
    return (span.end_time_unix_nano - span.start_time_unix_nano) / 1e6


def test_a_request_and_the_stages_of_its_image_are_spans(receiver: Receiver) -> None:
    with traced() as client:
        answer = client.post("/predict?max_faces=7", content=b"x" * 10, headers=JPEG)

    (request,) = receiver.requests
    assert request.name == "POST /predict"
    assert attributes(request) == {
        "http.request.method": "POST",
        "http.route": "/predict",
        "http.response.status_code": 200,
        "url.scheme": "http",
        "mien.request_id": answer.headers["x-request-id"],
        "mien.image_bytes": 10,
        "mien.faces": 1,
    }
    stages = receiver.stages(request)
    assert {stage.name for stage in stages} == {"decode", "detect", "queue", "inference"}
    for stage in stages:
        assert stage.trace_id == request.trace_id
        assert attributes(stage) == {"mien.image": 0}
        assert milliseconds(stage) == pytest.approx(1e3 * getattr(TIMING, stage.name), abs=1e-3)
    for before, after in pairwise(stages):
        assert before.end_time_unix_nano == pytest.approx(after.start_time_unix_nano, abs=2)


def test_the_stages_of_a_real_photo_are_those_of_its_answer(
    receiver: Receiver, photo: bytes
) -> None:
    with TestClient(create_app(Settings())) as client:
        answer = client.post("/predict", content=photo, headers=JPEG).json()

    (request,) = receiver.requests
    told = {name: ms for name, ms in answer["timing_ms"].items() if name != "total"}
    spent = dict.fromkeys(told, 0.0)
    for stage in receiver.stages(request):
        spent[stage.name] += milliseconds(stage)
        assert request.start_time_unix_nano <= stage.start_time_unix_nano
        assert stage.end_time_unix_nano <= request.end_time_unix_nano
    assert spent == pytest.approx(told, abs=2e-3)


def test_the_images_of_a_batch_are_told_apart(receiver: Receiver) -> None:
    with traced() as client:
        client.post(
            "/predict/batch", files=[("files", b"a"), ("files", b"broken"), ("files", b"b")]
        )

    (request,) = receiver.requests
    decoded = [span for span in receiver.stages(request) if span.name == "decode"]
    assert sorted(attributes(span)["mien.image"] for span in decoded) == [0, 1]
    assert attributes(request)["mien.faces"] == 2


def test_a_trace_of_the_caller_goes_on(receiver: Receiver) -> None:
    with traced() as client:
        client.get("/model", headers={"traceparent": f"00-{TRACE}-{PARENT}-01"})

    (request,) = receiver.requests
    assert (request.trace_id.hex(), request.parent_span_id.hex()) == (TRACE, PARENT)


def test_a_caller_that_does_not_want_to_be_traced_is_not(receiver: Receiver) -> None:
    with traced() as client:
        client.post("/predict", content=b"x", headers={"traceparent": f"00-{TRACE}-{PARENT}-00"})

    assert receiver.spans == []


@pytest.mark.parametrize(
    "parent", ["", "nonsense", f"00-{'0' * 32}-{PARENT}-01", "00-" + "a" * 999]
)
def test_a_malformed_parent_is_none(receiver: Receiver, parent: str) -> None:
    with traced() as client:
        assert client.get("/model", headers={"traceparent": parent}).status_code == 200

    (request,) = receiver.requests
    assert request.parent_span_id == b""


@pytest.mark.parametrize(
    ("content", "status", "code", "failed"),
    [(b"broken", 400, "undecodable_image", False), (b"crash", 500, "internal_error", True)],
)
def test_only_what_is_our_fault_is_an_error(
    receiver: Receiver, content: bytes, status: int, code: str, failed: bool
) -> None:
    with traced() as client:
        client.post("/predict", content=content, headers=JPEG)

    (request,) = receiver.requests
    told = attributes(request)
    assert (told["http.response.status_code"], told["mien.code"]) == (status, code)
    assert told.get("error.type") == (code if failed else None)
    assert (request.status.code == Status.STATUS_CODE_ERROR) is failed


def test_probes_and_scrapes_leave_no_trace(receiver: Receiver) -> None:
    with traced() as client:
        for path in ("/health/live", "/health/ready", "/metrics"):
            client.get(path)

    assert receiver.spans == []


def test_nothing_that_a_client_sent_is_in_a_span(receiver: Receiver) -> None:
    headers = {
        "Content-Type": "image/jpeg",
        "User-Agent": "secret-agent",
        "X-API-Key": "secret-key",
        "X-Request-ID": "secret id",
        "tracestate": "vendor=secret-state",
        "baggage": "name=secret-baggage",
        "traceparent": f"00-{TRACE}-{PARENT}-01",
        "Host": "secret-host",
    }
    with traced(api_keys=[hash_key("secret-key")]) as client:
        client.post("/predict?secret=query", content=b"secret-image", headers=headers)
        client.post("/predict", content=b"secret-image", headers=headers)
        form = {"file": ("secret-name.jpg", b"secret-image", "image/jpeg")}
        client.post("/predict", files=form, headers={"X-API-Key": "secret-key"})
        client.get("/secret-path", headers=headers)
        client.get("/static/secret-file", headers=headers)

    assert len(receiver.requests) == 5
    assert "secret" not in str(receiver.got)


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({}, "mien"),
        ({"OTEL_SERVICE_NAME": "faces"}, "faces"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=faces"}, "faces"),
    ],
)
def test_who_sends_is_named(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], name: str
) -> None:
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    with traced() as client:
        client.get("/model")

    (sent,) = receiver.got
    resource = {entry.key: entry.value.string_value for entry in sent.resource.attributes}
    assert (resource["service.name"], resource["service.version"]) == (name, __version__)


def test_without_an_endpoint_there_is_no_tracing_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        monkeypatch.delenv(variable, raising=False)

    before = threading.active_count()
    app = create_app(Settings())

    assert TracingMiddleware.__name__ not in str(app.user_middleware)
    assert threading.active_count() == before


def test_a_receiver_that_is_away_harms_nobody(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts and never answers
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "4")
        with traced() as client:
            answer = client.post("/predict", content=b"x", headers=JPEG)
        # The end of the service did not wait for this; the end of the test has to.
        for thread in threading.enumerate():
            if thread.name == "tracing-end":
                thread.join(PATIENCE_S)

    assert answer.status_code == 200
    assert "the last spans are lost" in caplog.text


def test_without_the_extra_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:4318/v1/traces")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.resources", None)
    with traced() as client:
        answer = client.post("/predict", content=b"x", headers=JPEG)

    assert answer.status_code == 200
    assert "mien[tracing]" in caplog.text
    assert caplog.records[0].levelno == logging.WARNING
