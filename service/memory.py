"""What one photo took, the next one gets: how the C library keeps memory.

By itself glibc learns from the first sizes that it meets what to give back to the system. After
small photos that is all that a larger one takes, and each of its pages is asked for again with the
next: 4,700 page faults for a photo of 1920 x 1080, which cost as much as finding its faces.
"""

import ctypes
import os

# mallopt(3). Anything larger is the system's again at once, and so is what lies free at the end.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGEST_KEPT = 32 * 2**20  # bytes; the most that glibc takes
_KEPT_AT_THE_END = 64 * 2**20
# What glibc has read by now, as variables of their own and as parts of GLIBC_TUNABLES.
_WISHES = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")
_TUNABLES = ("glibc.malloc.mmap_threshold", "glibc.malloc.trim_threshold")


def keep_memory() -> None:
    """Keep freed memory within these bounds.

    Does nothing where the C library is not glibc, or the environment has a wish of its own.
    """
    libc = ctypes.CDLL(None)
    tunables = os.environ.get("GLIBC_TUNABLES", "")
    wishes = [wish in os.environ for wish in _WISHES] + [each in tunables for each in _TUNABLES]
    if hasattr(libc, "mallopt") and not any(wishes):
        libc.mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT)
        libc.mallopt(_M_TRIM_THRESHOLD, _KEPT_AT_THE_END)
