"""No disk to write to: the root file system read-only, as strict containers have it, or full."""

import contextlib
import subprocess
from pathlib import Path

import pytest

from tests.faults.load import faces
from tests.service.test_server import Process, stopped


def namespaces_are_allowed() -> bool:
    command = ["unshare", "--user", "--map-root-user", "--mount", "true"]
    with contextlib.suppress(OSError):
        return subprocess.run(command, stderr=subprocess.DEVNULL).returncode == 0
    return False


pytestmark = pytest.mark.skipif(
    not namespaces_are_allowed(), reason="this kernel gives no mount namespaces"
)


class Sealed(Process):
    """The service where it can write nothing."""

    module = "tests.faults.sealed"


def test_one_process_needs_no_disk(photo: bytes) -> None:
    form = (
        b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\n'
        + (photo + bytes(5 * 2**20))  # more than form parsers keep in memory
        + b"\r\n--b--\r\n"
    )
    with Sealed() as service:
        service.ready()
        _, raw = service.ask("POST", "/predict", photo)
        answer, body = service.ask(
            "POST", "/predict", form, {"Content-Type": "multipart/form-data; boundary=b"}
        )
        scrape, _ = service.ask("GET", "/metrics")
        page, _ = service.ask("GET", "/")
        status = stopped(service)

    assert (answer.status, scrape.status, page.status, status) == (200, 200, 200, 0)
    assert faces(body) == faces(raw)


def test_several_processes_say_that_they_need_a_place_for_their_metrics() -> None:
    with Sealed("serve", "--workers", "2") as service:
        status = service.wait()

    assert status == 1
    assert "No usable temporary directory" in service.text


def test_a_full_place_for_metrics_stops_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FULL", str(tmp_path))
    with Sealed("serve", "--workers", "2") as service:
        status = service.wait()

    assert status == 1
    assert "No space left on device" in service.text
