"""The wall clock jumps, as it does when a machine wakes up or its time is set right."""

import json
from pathlib import Path

import pytest

from tests.faults.load import Load
from tests.service.test_server import Process, stopped

# From Debian's package libfaketime: what a process reads from its wall clock, it reads from a file.
LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)

pytestmark = pytest.mark.skipif(LIBRARY is None, reason="libfaketime is not installed")


@pytest.fixture
def offset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that says how far the clocks of processes started from now on are off."""
    file = tmp_path / "offset"
    file.write_text("+0d\n")
    monkeypatch.setenv("LD_PRELOAD", str(LIBRARY))
    monkeypatch.setenv("FAKETIME_TIMESTAMP_FILE", str(file))
    monkeypatch.setenv("FAKETIME_NO_CACHE", "1")
    # A jump leaves the monotonic clock alone; that is what it is for.
    monkeypatch.setenv("FAKETIME_DONT_FAKE_MONOTONIC", "1")
    return file


@pytest.mark.parametrize("jump", ["+2d", "-2d"])
def test_a_clock_that_jumps_loses_no_request(jump: str, offset: Path, crop: bytes) -> None:
    with Process(body_timeout_s=60, deadline_s=60) as service:
        service.ready()
        with Load(service, crop, clients=4) as load:
            load.await_more(200, 30)
            offset.write_text(f"{jump}\n")
            load.await_more(200, 30)
            offset.write_text("+0d\n")
            load.await_more(200, 30)
        ready, _ = service.ask("GET", "/health/ready")
        status = stopped(service)

    assert set(load.outcomes) == {200}
    assert len(load.answers) == 1
    assert (ready.status, status) == (200, 0)
    # It did jump: the log tells of two days. No time that was measured jumped with it.
    lines = [json.loads(line) for line in service.text.splitlines()]
    assert len({line["time"][:10] for line in lines}) > 1
    assert all(0 <= line.get("duration_ms", 0) < 60_000 for line in lines)
