"""Ten times as many clients as places."""

import json

from tests.faults.load import Load, metric
from tests.service.test_server import Process

PLACES = 4


def test_who_finds_no_place_is_told_so_and_the_others_are_served(crop: bytes) -> None:
    with Process(max_concurrent_requests=PLACES) as service:
        service.ready()
        with Load(service, crop, clients=10 * PLACES) as load:
            load.await_more(200, 100)
            load.await_more(503, 100)
            ready, _ = service.ask("GET", "/health/ready")  # no probe waits for a place
        after = [service.ask("POST", "/predict?detect=false", crop)[0].status for _ in range(20)]
        _, alone = service.ask("POST", "/predict?detect=false", crop)
        queued, in_flight = (
            metric(service, name) for name in ("mien_queue_depth", "mien_requests_in_flight")
        )

    assert set(load.outcomes) == {200, 503}
    assert ready.status == 200
    assert after == [200] * 20
    assert len(load.answers) == 1
    assert load.answers.pop() == alone.partition(b',"image":')[0]
    assert (queued, in_flight) == (0, 1)  # the scrape itself
    assert '"level": "error"' not in service.text


def test_a_refusal_says_when_to_come_again(crop: bytes) -> None:
    with Process(max_concurrent_requests=1) as service:
        service.ready()
        with Load(service, crop, clients=10) as load:
            load.await_more(503, 1)
            while True:
                answer, body = service.ask("POST", "/predict?detect=false", crop)
                if answer.status == 503:
                    break

    assert json.loads(body)["code"] == "overloaded"
    assert answer.headers["Retry-After"] == "1"
