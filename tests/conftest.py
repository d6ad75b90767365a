from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def models_dir() -> Path:
    return ROOT / "models"


@pytest.fixture(scope="session")
def photo() -> bytes:
    """A public-domain photo with one smiling face: NASA's portrait of Eileen Collins."""
    return (ROOT / "tests" / "data" / "astronaut.jpg").read_bytes()
