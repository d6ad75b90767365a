"""An environment of its own for each peer: their requirements do not fit together."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.process import ROOT

CACHE = ROOT / ".cache" / "peers"
HERE = Path(__file__).parent


def interpreter(name: str) -> Path:
    """The Python of a peer's environment, made from <name>.txt where it is missing or outdated.

    Besides the pinned packages it has mien's own code, but not what mien requires. Raises
    `CalledProcessError` when something cannot be installed.
    """
    requirements = HERE / f"{name}.txt"
    environment = CACHE / name
    python = environment / "bin" / "python"
    made_from = environment / "made-from"
    checksum = hashlib.sha256(requirements.read_bytes()).hexdigest()
    if made_from.is_file() and made_from.read_text() == checksum:
        return python
    shutil.rmtree(environment, ignore_errors=True)
    _run(sys.executable, "-m", "venv", environment)
    _run(python, "-m", "pip", "install", "--quiet", "--no-deps", "--requirement", requirements)
    _run(python, "-m", "pip", "install", "--quiet", "--no-deps", "--editable", ROOT)
    made_from.write_text(checksum)
    return python


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True)  # noqa: S603 - a command of ours
