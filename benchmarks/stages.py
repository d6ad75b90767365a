"""What each step of one request costs: CPU time, measured one step at a time."""

import asyncio
import socket
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import httptools
from starlette.requests import Request

from benchmarks.bare import BarePipeline
from benchmarks.detect import RUNS, cost
from benchmarks.payloads import IMAGES, Payload, form, raw
from service import detector as detection
from service.admission import Admission
from service.app import load_pipeline
from service.batcher import MicroBatcher
from service.faces import crop_face, crop_whole
from service.images import ImageLimits, decode_image, to_gray
from service.metrics import Metrics
from service.options import Options
from service.schemas import Prediction
from service.settings import Settings
from service.uploads import UploadLimits, read_image

_CHUNK = 65_536  # bytes that the server takes from a socket at once


def stages_ms(name: str, bare: BarePipeline) -> dict[str, float]:
    """Median CPU time of each step for an image of `benchmarks.payloads`, in ms."""
    data, looked_for = IMAGES[name], name != "crop"
    pixels = decode_image(data, ImageLimits()).pixels
    crop = crop_whole(to_gray(pixels))
    seen = {"resize": 0.0, "detect": 0.0, "crop": cost(lambda: crop_whole(to_gray(pixels)))[0]}
    if looked_for:
        config, side = bare.detector_session.config, bare.detector._detection.input_side
        face = bare.detector.detect(pixels)[0]
        framing = bare.detector.framing
        seen["resize"] = cost(lambda: detection._fit(pixels, side, config.input.multiple_of))[0]
        seen["detect"] = cost(lambda: bare.detector.detect(pixels))[0] - seen["resize"]
        seen["crop"] = cost(lambda: crop_face(pixels, face.box, framing, roll=face.roll))[0]
    asynchronous = asyncio.run(_asynchronous(name, looked_for))
    return {
        "receive": _receive_ms(raw(name)),
        "parse": asynchronous["parse"],
        "parse_form": asynchronous["parse_form"],
        "decode": cost(lambda: decode_image(data, ImageLimits()))[0],
        **seen,
        "queue": asynchronous["queue"],
        "infer": cost(lambda: bare.classifier.predict(crop[None]))[0],
        "encode": asynchronous["encode"],
    }


def _receive_ms(payload: Payload) -> float:
    """From the socket's bytes to the body, as the server does it."""
    head = f"POST / HTTP/1.1\r\nHost: mien\r\nContent-Length: {len(payload.body)}\r\n\r\n"
    request = head.encode() + payload.body
    here, there = socket.socketpair()
    sender = threading.Thread(target=there.sendall, args=(request * (RUNS + 1),))
    with here, there:
        sender.start()
        milliseconds, _ = cost(lambda: _Receiver().receive(here, len(request)))
        sender.join()
    return milliseconds


class _Receiver:
    """Takes one request from a connection."""

    def __init__(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._chunks: list[bytes] = []

    def receive(self, connection: socket.socket, length: int) -> bytes:
        """The body of a request of `length` bytes."""
        while length:
            data = connection.recv(min(_CHUNK, length))
            length -= len(data)
            self._parser.feed_data(data)
        return b"".join(self._chunks)

    def on_body(self, body: bytes) -> None:
        self._chunks.append(body)


async def _asynchronous(name: str, detect: bool) -> dict[str, float]:
    """What needs an event loop."""
    async with load_pipeline(Settings(), Metrics(version="0"), Admission(1)) as (pipeline, models):
        analysis = await pipeline.analyze(IMAGES[name], detect=detect)
    labels = pipeline.labels

    async def encode() -> bytes:
        answer = Prediction.of(analysis, labels, models.expression, "request")
        return answer.model_dump_json().encode()

    batcher = MicroBatcher[int, int](lambda items: items, workers=1)
    batcher.start()
    with ThreadPoolExecutor(1) as executor:

        async def hand_over() -> None:
            await asyncio.get_running_loop().run_in_executor(executor, int)
            await batcher.submit(0)

        found = {
            "parse": await cost_ms(lambda: _parse(raw(name))),
            "parse_form": await cost_ms(lambda: _parse(form(name))),
            "queue": await cost_ms(hand_over),
            "encode": await cost_ms(encode),
        }
    await batcher.stop()
    return found


async def _parse(payload: Payload) -> None:
    """From chunks of a body to the image and its options."""
    chunks = [payload.body[at : at + _CHUNK] for at in range(0, len(payload.body), _CHUNK)]
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    messages[-1]["more_body"] = False
    waiting = iter(messages)

    async def receive() -> dict[str, object]:
        return next(waiting)

    scope = {
        "type": "http",
        "query_string": payload.path.partition("?")[2].encode(),
        "headers": [(b"content-type", payload.content_type.encode())],
    }
    request = Request(scope, receive)
    Options.of(request.query_params)
    await read_image(request, UploadLimits())


async def cost_ms(work: Callable[[], Awaitable[object]]) -> float:
    """Median CPU time of all threads."""
    await work()
    times = []
    for _ in range(RUNS):
        begin = time.process_time()
        await work()
        times.append(1000 * (time.process_time() - begin))
    return median(times)
