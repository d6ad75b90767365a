"""Results as files: benchmarks/results/<name>.json, each with the machine it was measured on."""

import json
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from service.cpus import available_cpus, cpu_flags
from training.commit import commit

RESULTS = Path(__file__).parent / "results"

_PACKAGES = ("fastapi", "numpy", "onnxruntime", "pillow", "uvicorn", "uvloop")


def machine() -> dict[str, Any]:
    """What a figure depends on. `load` is how many others wanted a CPU when it was begun."""
    return {
        "cpu": _field("/proc/cpuinfo", "model name") or platform.processor(),
        "cpus": available_cpus(),
        "vnni": not {"avx512_vnni", "avx_vnni"}.isdisjoint(cpu_flags()),
        "memory_gb": round(int(_field("/proc/meminfo", "MemTotal").split()[0]) / 2**20),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "packages": {name: version(name) for name in _PACKAGES},
        "commit": commit(
            "service", "models", "benchmarks/*.py", "benchmarks/*.lua", "benchmarks/peers"
        ),
        "load": round(os.getloadavg()[0], 1),
    }


def told(machine: dict[str, Any]) -> str:
    """The CPU of such a machine, in words."""
    return f"{machine['cpu']}{' with VNNI' if machine['vnni'] else ''}"


def record(name: str, begun_on: dict[str, Any], result: dict[str, Any]) -> None:
    """Write a result; `begun_on` is what `machine` said before the measurement."""
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps({"machine": begun_on, **result}, indent=1)
    (RESULTS / f"{name}.json").write_text(text + "\n")
    print(json.dumps(result.get("ratios", result), indent=1))


def _field(file: str, name: str) -> str:
    """The first value of a field in one of the kernel's lists of "name: value"."""
    for line in Path(file).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""
