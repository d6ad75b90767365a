"""The Dockerfile and what it installs, read without an engine."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.deploy.engine import ROOT

HADOLINT = Path(sys.prefix) / "bin" / "hadolint"
LOCKED = ROOT / "deploy" / "requirements.txt"
BUILD = ROOT / "deploy" / "requirements-build.txt"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def pins(file: Path) -> dict[str, str]:
    """Name -> version of every line that pins one."""
    pinned = re.findall(r"^([\w.-]+)==([^\s;\\]+)", file.read_text(), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in pinned}


def needed(requirement: Requirement) -> set[str]:
    """The names of everything that a requirement pulls in here, its own among them."""
    name = canonicalize_name(requirement.name)
    found: set[str] = {name}
    for text in requires(name) or []:
        child = Requirement(text)
        extras = requirement.extras or {""}
        if child.marker is None or any(child.marker.evaluate({"extra": e}) for e in extras):
            found |= needed(child)
    return found


def test_hadolint_finds_nothing() -> None:
    if not HADOLINT.exists():
        pytest.skip("hadolint is not installed: make .venv-dev")
    lint = subprocess.run([HADOLINT, "Dockerfile"], cwd=ROOT, capture_output=True, text=True)

    assert (lint.stdout, lint.returncode) == ("", 0)


def test_the_lock_has_what_the_project_needs_and_nothing_else() -> None:
    project = PROJECT["project"]
    names: set[str] = set()
    for text in (*project["dependencies"], *project["optional-dependencies"]["tracing"]):
        names |= needed(Requirement(text))

    assert set(pins(LOCKED)) == names


def test_the_lock_has_the_versions_that_are_tested() -> None:
    tested = pins(ROOT / "constraints.txt")

    assert pins(LOCKED).items() <= tested.items()


def test_the_lock_to_build_with_has_what_the_project_asks_for() -> None:
    asked = {
        canonicalize_name(requirement.name): requirement.specifier
        for requirement in map(Requirement, PROJECT["build-system"]["requires"])
    }
    pinned = pins(BUILD)

    assert pinned.keys() == asked.keys()
    assert all(specifier.contains(pinned[name]) for name, specifier in asked.items())


@pytest.mark.parametrize("file", [LOCKED, BUILD], ids=lambda file: file.name)
def test_every_pin_has_hashes_and_no_address(file: Path) -> None:
    text = file.read_text()

    entries = re.split(r"\n(?=\S)", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).strip())
    assert len(entries) == len(pins(file))
    assert all("--hash=sha256:" in entry for entry in entries)
    assert "://" not in text
