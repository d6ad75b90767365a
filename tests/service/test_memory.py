"""What a photo took, the next one gets: seen from outside, in a process of its own."""

import os
import subprocess
import sys

import pytest

# Small pieces first, as small photos take; then large ones, of which it counts the page faults.
PROGRAM = """
import resource, sys
from service.memory import keep_memory

if sys.argv[1] == "kept":
    keep_memory()
for _ in range(10):
    bytearray(300_000)
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def take():
    first = bytearray(2_000_000)
    second = bytearray(2_000_000)
take()
before = faults()
for _ in range(20):
    take()
print(faults() - before)
"""


def faults(how: str, **variables: str) -> int:
    command = [sys.executable, "-c", PROGRAM, how]
    answer = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, **variables}
    )
    return int(answer.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is the C library of Linux")
def test_memory_that_was_freed_is_not_asked_for_again() -> None:
    assert faults("given back") > 100
    assert faults("kept") < 100


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is the C library of Linux")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MALLOC_MMAP_THRESHOLD_", "131072"),
        ("MALLOC_TRIM_THRESHOLD_", "131072"),
        ("GLIBC_TUNABLES", "glibc.malloc.mmap_threshold=131072"),
    ],
)
def test_who_wants_it_back_says_so_in_the_environment(name: str, value: str) -> None:
    assert faults("kept", **{name: value}) > 100


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is the C library of Linux")
def test_other_wishes_are_none() -> None:
    assert faults("kept", GLIBC_TUNABLES="glibc.malloc.arena_max=2") < 100
