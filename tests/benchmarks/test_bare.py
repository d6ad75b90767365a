"""The limit does what the service does, or it would be the limit of something else."""

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

from benchmarks.bare import BarePipeline
from benchmarks.limit import bare_pipeline, processes
from benchmarks.payloads import IMAGES, path
from service.app import create_app
from service.cpus import available_cpus
from service.settings import Settings


@pytest.fixture(scope="module")
def bare() -> BarePipeline:
    return bare_pipeline()


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(create_app(Settings())) as client:
        yield client


def rolled() -> bytes:
    """The photo with its face leaning to a side."""
    file = io.BytesIO()
    Image.open(io.BytesIO(IMAGES["photo"])).rotate(20).save(file, "JPEG")
    return file.getvalue()


@pytest.mark.parametrize("name", [*IMAGES, "rolled"])
def test_the_limit_answers_what_the_service_answers(
    name: str, bare: BarePipeline, client: TestClient
) -> None:
    image = IMAGES[name] if name in IMAGES else rolled()
    answer = client.post(path(name), content=image, headers={"Content-Type": "image/jpeg"})
    expected: list[Any] = answer.raise_for_status().json()["faces"]
    (found,) = bare.analyze([image], detect=name != "crop")

    assert len(found) == len(expected) == 1
    for face, other in zip(found, expected, strict=True):
        assert face["emotion"] == pytest.approx(other["emotion"], abs=1e-6)


def test_processes_that_share_nothing_analyse_too() -> None:
    with processes() as pace:
        found = pace("crop", 0.2)
    assert found.per_s > 0
    # A process that waits uses no CPU time; one alone can't use more than there is.
    assert 0 < found.per_s * found.cpu_ms / 1000 <= available_cpus() * 1.1


def test_several_images_get_their_own_faces(bare: BarePipeline) -> None:
    images = [IMAGES["photo"], rolled(), IMAGES["1080p"]]
    alone = [bare.analyze([image])[0] for image in images]
    together = bare.analyze(images)

    for faces, others in zip(together, alone, strict=True):
        assert faces[0]["emotion"] == pytest.approx(others[0]["emotion"], abs=1e-4)
    assert json.dumps(together)
