"""Whether a thread is stuck."""

import threading
import time


class Vigil:
    """Watches threads at work. `with vigil:` around a job; one at a time in each thread.

    A job that takes longer than `limit_s` counts as stuck for as long as it lasts: a thread cannot
    be ended from outside, so nothing else can be done about it than to say so.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._since: dict[int, float] = {}  # by thread, only while it works

    @property
    def stuck(self) -> bool:
        """Whether any job has taken too long."""
        latest = time.perf_counter() - self._limit_s
        return any(since <= latest for since in tuple(self._since.values()))

    def __enter__(self) -> None:
        self._since[threading.get_ident()] = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        del self._since[threading.get_ident()]
