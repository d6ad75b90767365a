"""The end of a service that has more to do than it can."""

import os
import signal

from tests.faults.load import CUT, UNREACHABLE, Load
from tests.service.test_server import Workers, stopped


def test_every_request_is_answered_when_two_full_workers_stop(crop: bytes) -> None:
    with Workers(max_concurrent_requests=2, drain_delay_s=0.5) as service:
        service.ready()
        with Load(service, crop, clients=20) as load:
            load.await_more(200, 50)
            load.await_more(503, 50)
            service.send(signal.SIGTERM)
            status = service.wait()

    assert status == 0
    assert set(load.outcomes) <= {200, 503, UNREACHABLE}
    answered = service.text.count('"route": "/predict"')
    assert answered == load.outcomes[200] + load.outcomes[503]


def test_a_killed_worker_takes_only_what_it_had(crop: bytes) -> None:
    clients = 8
    with Workers() as service:
        service.ready()
        with Load(service, crop, clients=clients) as load:
            load.await_more(200, 50)
            victim, *_ = service.workers()
            os.kill(victim, signal.SIGKILL)
            service.logged(message="worker ended")
            service.logged(message="serving")
            load.await_more(200, 50)
        status = stopped(service)

    assert set(load.outcomes) <= {200, CUT, UNREACHABLE}
    assert load.outcomes[CUT] + load.outcomes[UNREACHABLE] <= clients
    assert len(load.answers) == 1
    assert status == 0
