import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, Any, Any]:
    """CI installs every tool that a test wants, so there a skipped test is a failed one.

    Only the data set may be missing: nobody can install that.
    """
    return _failed_if_skipped((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, Any, Any]:
    """The same for files that skip all of their tests at once."""
    return _failed_if_skipped((yield))


def _failed_if_skipped(report: Any) -> Any:
    if os.environ.get("CI") and report.skipped and "MIEN_FER2013" not in str(report.longrepr):
        report.outcome = "failed"
    return report
