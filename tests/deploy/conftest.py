"""One engine, one image and one stack for all tests of this folder."""

from collections.abc import Iterator

import pytest

from tests.deploy import images
from tests.deploy.engine import Engine, NoEngine, running_engine
from tests.deploy.stack import Stack, running_stack


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """A Docker engine that has the images to build on. In CI, being without it is a failure."""
    try:
        with running_engine() as engine:
            images.provide(engine)
            yield engine
    except NoEngine as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def image(engine: Engine) -> str:
    """The image that the shipped Dockerfile makes, with the name that the compose file gives it."""
    name = images.named("mien")
    # The engine has no bridge; to download packages, the build uses the machine's own network.
    engine.docker("build", "--network", "host", "--tag", name, ".")
    return name


@pytest.fixture(scope="session")
def stack(engine: Engine, image: str) -> Iterator[Stack]:
    """The shipped compose file with two replicas, less Grafana, which Debian does not have."""
    with running_stack(engine) as stack:
        yield stack
