"""The batch job's own script, run as each of its pods would run it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.manifests import container, only, pod_specs

SHARDS = 2


@pytest.fixture
def photos(tmp_path: Path, photo: bytes) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.jpg").write_bytes(photo)
    return folder


def run(index: int, photos: Path, results: Path) -> subprocess.CompletedProcess[str]:
    """The pod of that index, with two shards instead of as many as there are."""
    (pod,) = pod_specs("jobs")
    results.mkdir(exist_ok=True)
    variables = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "SHARDS": str(SHARDS),
        "PHOTOS": str(photos),
        "RESULTS": str(results),
        "JOB_COMPLETION_INDEX": str(index),
    }
    command = [*container(pod)["command"], *container(pod)["args"]]
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=False)


def test_together_the_pods_see_every_photo_once(photos: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    for index in range(SHARDS):
        assert run(index, photos, results).returncode == 0

    assert sorted(path.name for path in results.iterdir()) == ["1-of-2.jsonl", "2-of-2.jsonl"]
    lines = [line for path in results.iterdir() for line in path.read_text().splitlines()]
    found = sorted(json.loads(line)["file"] for line in lines)
    assert found == sorted(map(str, photos.iterdir()))


def test_a_file_that_is_no_photo_is_told_and_costs_no_other(photos: Path, tmp_path: Path) -> None:
    (photos / "0.jpg").write_bytes(b"no photo")
    finished = run(0, photos, tmp_path / "results")

    assert finished.returncode == 65
    assert "0.jpg" in finished.stderr
    (line,) = (tmp_path / "results" / "1-of-2.jsonl").read_text().splitlines()
    assert json.loads(line)["file"] == str(photos / "2.jpg")


@pytest.mark.parametrize(("end", "status"), [("kill -9 $$", 137), ("exit 1", 1)])
def test_what_was_stopped_midway_is_no_result(
    photos: Path, tmp_path: Path, end: str, status: int
) -> None:
    """Killed for want of memory, say, or ended by a full disk: here, by a `mien` that does it."""
    program = tmp_path / "bin" / "mien"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho half a line\n{end}\n")
    program.chmod(0o755)
    (pod,) = pod_specs("jobs")
    results = tmp_path / "results"
    results.mkdir()
    variables = {
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "SHARDS": "1",
        "PHOTOS": str(photos),
        "RESULTS": str(results),
        "JOB_COMPLETION_INDEX": "0",
    }
    command = [*container(pod)["command"], *container(pod)["args"]]

    assert subprocess.run(command, env=variables, check=False).returncode == status
    assert [path.name for path in results.iterdir()] == ["1-of-1.jsonl.part"]


def test_there_are_as_many_pods_as_shards() -> None:
    job = only("jobs", "Job")["spec"]
    (pod,) = pod_specs("jobs")
    variables = {variable["name"]: variable["value"] for variable in container(pod)["env"]}
    assert job["completionMode"] == "Indexed"
    assert str(job["completions"]) == variables["SHARDS"]
    mounts = {mount["mountPath"]: mount for mount in container(pod)["volumeMounts"]}
    assert mounts[variables["PHOTOS"]]["readOnly"]
    assert variables["RESULTS"] in mounts
    assert {mount["name"] for mount in mounts.values()} == {
        volume["name"] for volume in pod["spec"]["volumes"]
    }


def test_a_bad_file_ends_its_index_and_a_lost_node_does_not() -> None:
    lost, bad = only("jobs", "Job")["spec"]["podFailurePolicy"]["rules"]
    (pod,) = pod_specs("jobs")
    assert (lost["action"], lost["onPodConditions"][0]["type"]) == ("Ignore", "DisruptionTarget")
    assert bad["action"] == "FailIndex"
    assert bad["onExitCodes"]["containerName"] == container(pod)["name"]
    assert bad["onExitCodes"]["values"] == [os.EX_DATAERR]
