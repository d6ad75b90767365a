import errno
import os
from pathlib import Path

import pytest

from service.cpus import available_cpus, cpu_flags, take_turns

AFFINITY = len(os.sched_getaffinity(0))


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def v2(limit: str, path: str = "/", directory: str = "") -> dict[str, str]:
    return {
        "proc/self/cgroup": f"0::{path}\n",
        f"sys/fs/cgroup/{directory}cpu.max": limit,
    }


def v1(quota: str, period: str = "100000") -> dict[str, str]:
    return {
        "proc/self/cgroup": "5:memory:/pod\n4:cpu,cpuacct:/pod\n0::/\n",
        "sys/fs/cgroup/cpu/pod/cpu.cfs_quota_us": quota,
        "sys/fs/cgroup/cpu/pod/cpu.cfs_period_us": period,
    }


def test_this_machine() -> None:
    assert 1 <= available_cpus() <= AFFINITY


def test_no_cgroups_leaves_the_affinity(tmp_path: Path) -> None:
    assert available_cpus(tmp_path) == AFFINITY


@pytest.mark.parametrize(
    "files",
    [v2("max 100000\n"), v1("-1\n"), v2(""), v2("100000 0\n"), v2("nonsense")],
    ids=["v2 without limit", "v1 without limit", "empty", "period of zero", "nonsense"],
)
def test_no_limit_leaves_the_affinity(tmp_path: Path, files: dict[str, str]) -> None:
    assert available_cpus(write(tmp_path, files)) == AFFINITY


@pytest.mark.parametrize(
    "files",
    [
        v2("0 100000\n"),
        v2("50000 100000\n"),
        v2("100000 100000\n"),
        v2("1000 100000\n", path="/pod/box", directory="pod/box/"),
        v2("100000 100000\n", path="/pod/box", directory="pod/"),
        v2("100000 100000\n", path="/docker/of-the-host"),
        v1("100000\n"),
        v1("2500\n", period="5000\n"),
    ],
    ids=[
        "nothing",
        "half",
        "one",
        "own group",
        "group above",
        "container",
        "v1",
        "v1, short period",
    ],
)
def test_a_quota_of_at_most_one_cpu(tmp_path: Path, files: dict[str, str]) -> None:
    assert available_cpus(write(tmp_path, files)) == 1


def test_a_quota_is_rounded_up(tmp_path: Path) -> None:
    assert available_cpus(write(tmp_path, v2("150000 100000\n"))) == min(2, AFFINITY)


def test_a_quota_above_the_affinity_does_not_count(tmp_path: Path) -> None:
    assert available_cpus(write(tmp_path, v2("100000000 100000\n"))) == AFFINITY


def test_the_smallest_of_nested_quotas_counts(tmp_path: Path) -> None:
    files = v2("1000000 100000", path="/pod/box", directory="pod/box/")
    write(tmp_path, files | v2("10000 100000", path="/pod/box", directory="pod/"))
    assert available_cpus(tmp_path) == 1


@pytest.mark.parametrize("flags", ["fpu sse2 avx2 avx512f avx512_vnni", "fpu", ""])
def test_the_cpus_say_what_they_can(tmp_path: Path, flags: str) -> None:
    cpu = f"processor\t: 0\nbugs\t\t: avx_vnni\nflags\t\t: {flags}\n\n"
    assert cpu_flags(write(tmp_path, {"proc/cpuinfo": cpu * 2})) == set(flags.split())


def test_a_cpu_that_lists_no_flags_has_none(tmp_path: Path) -> None:
    assert not cpu_flags(tmp_path)
    assert not cpu_flags(write(tmp_path, {"proc/cpuinfo": "Features\t: fp asimd asimddp\n"}))


def test_a_system_with_one_policy_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    before = os.sched_getscheduler(0)
    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    take_turns()
    assert os.sched_getscheduler(0) == before
