"""The image: what is in it, who it runs as, how it starts, answers and stops."""

import json
import re
import tomllib
from collections.abc import Iterator

import pytest
from packaging.utils import canonicalize_name

from service.settings import Settings
from tests.deploy import images
from tests.deploy.engine import ROOT, Engine
from tests.deploy.load import PHOTO, UNREACHABLE, Load, send

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def network(engine: Engine) -> str:
    return engine.docker("network", "create", "image-tests")


@pytest.fixture
def container(engine: Engine, image: str, network: str) -> Iterator[str]:
    """The service as strictly as it may be run: nothing to write to, 512 MB, one CPU."""
    container = engine.docker(
        *("run", "--detach", "--network", network),
        *("--read-only", "--user", "10001", "--cap-drop", "ALL"),
        *("--security-opt", "no-new-privileges", "--pids-limit", "128"),
        *("--memory", "512m", "--memory-swap", "512m", "--cpus", "1"),
        image,
    )
    engine.await_health(container)
    yield container
    engine.docker("rm", "--force", container)


def inside(engine: Engine, image: str, program: str) -> str:
    """What a Python program prints that runs in the image, instead of the service."""
    arguments = ("run", "--rm", "--read-only", "--network", "none", "--entrypoint", "python")
    return engine.docker(*arguments, image, "-c", program)


def test_it_answers_a_photo_and_writes_nothing_but_its_log(
    engine: Engine, container: str, photo: bytes
) -> None:
    address = f"http://{engine.address(container)}:8000"
    status, _, body = send(address, "POST", "/predict", photo, PHOTO)
    lines = engine.run("sh", "-c", f"docker logs {container} 2>&1").splitlines()

    assert status == 200
    assert json.loads(body)["faces"][0]["dominant_emotion"] == "happy"
    assert {json.loads(line)["level"] for line in lines} == {"info"}
    # It had nothing else to write to: the container is read-only, and mounts no memory as files.


def test_it_takes_one_cpu_no_five_seconds_to_be_ready(engine: Engine, container: str) -> None:
    address = f"http://{engine.address(container)}:8000"
    _, _, body = send(address, "GET", "/metrics")
    spent = re.search(rb"^process_cpu_seconds_total (\S+)", body, re.MULTILINE)

    assert spent is not None
    assert float(spent[1]) < 5


def test_it_stops_under_load_and_loses_no_request_that_it_accepted(
    engine: Engine, container: str, photo: bytes
) -> None:
    address = f"http://{engine.address(container)}:8000"
    # Beside the photos, so many small requests that somebody is always about to be accepted.
    hurried = Load(address, b"no image", rate=400, clients=8)
    with Load(address, photo) as load, hurried:
        load.await_more(20)
        engine.docker("stop", "--time", "10", container)  # seconds until SIGKILL, and status 137
        load.await_more(4)

    assert load.outcomes() == {200, UNREACHABLE}
    assert hurried.outcomes() == {400, UNREACHABLE}
    assert engine.inspect(container, "{{.State.ExitCode}}") == "0"


def test_its_health_check_fails_where_nothing_listens(engine: Engine, image: str) -> None:
    program = ("docker", "run", "--rm", "--network", "none", "--entrypoint", "python", image)

    assert not engine.can(*program, "/opt/mien/healthcheck.py")


def test_it_runs_as_nobody_in_particular(engine: Engine, image: str) -> None:
    assert engine.inspect(image, "{{.Config.User}}") == "10001:10001"
    assert inside(engine, image, "import os; print(os.getuid(), os.getgid())") == "10001 10001"


def test_it_has_the_runtime_dependencies_and_nothing_else(engine: Engine, image: str) -> None:
    names = inside(
        engine,
        image,
        "import importlib.metadata as m; print(*sorted(d.name for d in m.distributions()))",
    )
    locked = re.findall(r"^(\S+)==", (ROOT / "deploy/requirements.txt").read_text(), re.MULTILINE)

    assert {canonicalize_name(name) for name in names.split()} == {*locked, "mien"}


def test_it_has_what_sends_traces_where_an_endpoint_is_set(engine: Engine, image: str) -> None:
    program = """
import os
from service.tracing import open_tracing
os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:4318"
print(type(open_tracing("0")).__name__)
"""

    assert inside(engine, image, program) == "Tracing"


def test_it_has_the_models_that_are_served_by_default(engine: Engine, image: str) -> None:
    listed = inside(engine, image, "import os; print(*os.listdir('/opt/mien/models'))")

    assert set(listed.split()) == {Settings().expression_model, Settings().detector_model}


def test_it_adds_no_more_than_350_megabytes(engine: Engine, image: str) -> None:
    sizes = [int(engine.inspect(name, "{{.Size}}")) for name in (image, images.named("python"))]

    assert sizes[0] - sizes[1] < 350_000_000


def test_it_says_what_it_is(engine: Engine, image: str) -> None:
    labels = json.loads(engine.inspect(image, "{{json .Config.Labels}}"))

    prefix = "org.opencontainers.image."
    assert labels[prefix + "version"] == PROJECT["version"] == image.rpartition(":")[2]
    assert labels[prefix + "description"] == PROJECT["description"]
    assert labels[prefix + "licenses"] == PROJECT["license"]
    assert labels[prefix + "base.name"].endswith(images.named("python"))


def test_it_predicts_folders_too(engine: Engine, image: str, photo: bytes) -> None:
    printed = engine.docker(
        *("run", "--rm", "--read-only", "--network", "none"),
        *("--volume", f"{ROOT}/tests/data:/photos:ro", image, "predict", "/photos"),
    )

    assert json.loads(printed)["faces"][0]["dominant_emotion"] == "happy"


def test_the_builder_is_sent_what_the_image_is_made_of(engine: Engine, image: str) -> None:
    """`image` must be there first: its base may have to be made."""
    recipe = f"FROM {images.named('python')}\nCOPY . /context"
    engine.docker("build", "--tag", "context", "--file", "-", ".", text=recipe)
    sent = inside(engine, "context", "import os; print(*os.listdir('/context'))").split()

    assert set(sent) == {"deploy", "models", "service", "LICENSE", "README.md", "pyproject.toml"}
