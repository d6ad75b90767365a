"""How often one client may ask."""

import ipaddress
import math
import time
from collections.abc import Callable

from service.errors import RateLimited


class RateLimit:
    """A bucket of `per_minute` requests for each client; it fills again evenly within a minute.

    It is kept as one number a client: when its bucket is full again (the generic cell rate
    algorithm, ITU-T I.371). So many `clients` are remembered, and of more the one that has not
    been served for longest is forgotten. Used on the event loop only.
    """

    def __init__(
        self,
        per_minute: int,
        *,
        clients: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._interval_s = 60 / per_minute
        self._clients = clients
        self._clock = clock
        self._full_at: dict[str, float] = {}  # by client, the one served last at the end

    def take(self, client: str) -> None:
        """Counts one request. Raises `RateLimited` when the client's bucket is empty."""
        now = self._clock()
        full_at = max(now, self._full_at.get(client, now)) + self._interval_s
        if (wait_s := full_at - now - 60) > 1e-6:  # less is what rounding left
            raise RateLimited(
                "You have asked too often; try again later.", retry_after_s=math.ceil(wait_s)
            )
        self._full_at.pop(client, None)
        self._full_at[client] = full_at
        if len(self._full_at) > self._clients:
            del self._full_at[next(iter(self._full_at))]


def client_of(address: str) -> str:
    """Whom an IP address stands for: with IPv6, one client has all of a /64 network (RFC 6177).

    Whatever is no address stands for one client together.
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((int(ip) >> 64 << 64, 64)))
