"""The CPUs this process runs on: how many it may use, what they can, and who takes them when."""

import math
import os
import sys
from contextlib import suppress
from pathlib import Path

_CGROUP = Path("sys/fs/cgroup")


def available_cpus(root: Path = Path("/")) -> int:
    """CPUs this process may keep busy at once, at least 1.

    The smaller of the scheduler's affinity mask and the cgroup quota, rounded up: a container that
    is given 1.5 CPUs has work for two threads. `root` is where /proc and /sys are looked for.
    """
    # macOS has neither affinity masks nor cgroups.
    affinity = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    quota = min(_quotas(root), default=math.inf)
    return max(1, min(affinity, math.ceil(quota) if quota < affinity else affinity))


def cpu_flags(root: Path = Path("/")) -> frozenset[str]:
    """What x86 CPUs say that they can do, as /proc/cpuinfo lists it; empty where it does not."""
    for line in _read(root / "proc/cpuinfo").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "flags":  # of the first CPU; the others have the same
            return frozenset(value.split())
    return frozenset()


def take_turns() -> None:
    """Who wakes up in this process waits for a turn instead of interrupting who is at work.

    On busy CPUs a finished photo and the first bytes of the next would otherwise interrupt the
    photo under way, whose data the caches then lose. For threads that are started from now on, and
    where the system has such a policy: SCHED_BATCH of sched(7).
    """
    if sys.platform == "linux":
        with suppress(OSError):  # sandboxes such as gVisor know one policy only
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def _quotas(root: Path) -> list[float]:
    """Every CPU limit that binds this process: its own cgroup's and those of the groups above it.

    Sources: the kernel's admin guides cgroup-v2 (cpu.max) and cgroup-v1/sched-bwc.
    """
    quotas = []
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        mount = root / _CGROUP / ("cpu" if controllers else "")  # version 1, or version 2
        # Inside a container the path may name the host's directories, which are not mounted; the
        # mount point itself is then the container's own group.
        group = mount / path.lstrip("/")
        for directory in (group, *group.parents):
            if not directory.is_relative_to(mount):
                break
            limit = _read(directory / "cpu.max") or " ".join(
                _read(directory / name) for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us")
            )
            match limit.split():
                case [quota, period] if quota.isdecimal() and int(period) > 0:
                    quotas.append(int(quota) / int(period))
                case _:  # "max", -1 or no such file: this group sets no limit
                    pass
    return quotas


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii")
    except OSError:
        return ""
