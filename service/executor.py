"""The threads that look at images."""

import threading
from concurrent.futures import ThreadPoolExecutor


def start_threads(count: int) -> ThreadPoolExecutor:
    """An executor with all its threads. Raises `RuntimeError` when the system gives fewer.

    By itself it would ask for them with the first jobs, which would then fail, one by one, in a
    service that calls itself ready.
    """
    executor = ThreadPoolExecutor(count, thread_name_prefix="images")
    everybody = threading.Barrier(count + 1)  # holds each thread until there is another
    try:
        for _ in range(count):
            executor.submit(everybody.wait)
    except RuntimeError:
        everybody.abort()
        executor.shutdown(wait=False, cancel_futures=True)
        raise
    everybody.wait()
    return executor
