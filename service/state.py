"""What each request finds in its state: the parts of the service, and its own exchange."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

from starlette.requests import Request

from service.admission import Admission
from service.analysis import Pipeline
from service.errors import DeadlineExceeded, RateLimited, Unavailable
from service.keys import Keys
from service.logs import Exchange
from service.metrics import Metrics
from service.rate import RateLimit, client_of
from service.schemas import Models
from service.uploads import UploadLimits


@dataclass(frozen=True, slots=True)
class Service:
    """The parts that the endpoints translate to. The app puts it into each request's state.

    Without `keys` everybody may ask, without `rate` as often as they like.
    """

    pipeline: Pipeline
    models: Models
    admission: Admission
    metrics: Metrics
    limits: UploadLimits
    deadline_s: float
    keys: Keys | None = None
    rate: RateLimit | None = None

    @asynccontextmanager
    async def admitted(self, request: Request) -> AsyncIterator[None]:
        """The door: a place for the block and one deadline for all of it, or an error at once.

        Raises `Unauthorized`, `RateLimited`, `Overloaded`; later `DeadlineExceeded`.
        """
        try:
            self._identify(request)
            with self.admission:
                async with asyncio.timeout(self.deadline_s) as deadline:
                    yield
        except TimeoutError:
            if not deadline.expired():
                raise
            self.metrics.request_shed(DeadlineExceeded.code)
            raise DeadlineExceeded(f"No answer within {self.deadline_s:g} seconds.") from None
        except (RateLimited, Unavailable) as error:
            self.metrics.request_shed(error.code)
            raise

    def _identify(self, request: Request) -> None:
        """Who asks is who has the key; without keys, whoever has the address."""
        if self.keys is not None:
            client = self.keys.check(request.headers)
        elif self.rate is not None:
            client = client_of(request.client.host if request.client else "")
        if self.rate is not None:
            self.rate.take(client)


def service_of(request: Request) -> Service:
    """The service that answers a request."""
    return cast(Service, request.scope["state"]["service"])


def exchange_of(request: Request) -> Exchange:
    """What logs and metrics are to know of a request."""
    return cast(Exchange, request.scope["state"]["exchange"])
