"""The service leaves nothing behind."""

from pathlib import Path

import pytest

from tests.service.test_server import Process, stopped


def test_no_library_leaves_a_file_behind(
    photo: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = {name: tmp_path / name for name in ("HOME", "TMPDIR")}
    for name, place in places.items():
        place.mkdir()
        monkeypatch.setenv(name, str(place))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    # Libraries that report to their makers leave that out on build servers.
    for name in ("CI", "GITHUB_ACTIONS", "GITLAB_CI", "BUILD_ID", "TF_BUILD"):
        monkeypatch.delenv(name, raising=False)
    with Process() as service:
        service.ready()
        answer, _ = service.ask("POST", "/predict", photo)
        status = stopped(service)

    assert (answer.status, status) == (200, 0)
    assert sorted(tmp_path.rglob("*")) == sorted(places.values())
