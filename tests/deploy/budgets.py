"""What adds up: the time from SIGTERM to the end, and the memory of the worst that may come in."""

from service.images import ImageLimits
from service.settings import Settings

# Beside the delay and the deadline: the last arrivals, the end of the process, and traces to a
# receiver that does not answer. The documented bounds of service.server.
OVERHEAD_S = 2.0 + 2.0

# A service that serves nothing, and the bytes that it holds for each pixel of the costliest image
# that it takes whole, a WebP with transparency. test_memory.py measures both.
IDLE_BYTES = 192 * 2**20
BYTES_A_PIXEL = 21


def stopping_s(settings: Settings) -> float:
    """The longest that the process lives after SIGTERM."""
    return settings.drain_delay_s + settings.deadline_s + OVERHEAD_S


def memory_bytes(settings: Settings, cpus: int) -> float:
    """The most memory that the process needs: every place and every thread has the worst image."""
    bodies = settings.max_concurrent_requests * settings.max_body_bytes
    threads = settings.threads or cpus
    return IDLE_BYTES + bodies + threads * ImageLimits().max_whole_pixels * BYTES_A_PIXEL
