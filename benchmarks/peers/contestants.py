"""Who takes part in the comparison, how each is started, and what is tried to tune it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from benchmarks.payloads import Payload, form, listed, raw, tensor
from benchmarks.peers.environments import CACHE, interpreter
from benchmarks.process import Server, free_port, running, service
from service.settings import Settings

PHOTO = "photo"


@dataclass(frozen=True, slots=True)
class Tuning:
    """Processes that run the models, most images in a batch, and how long one may fill.

    `http` is how many processes speak HTTP, where that may be chosen; 0 is the server's default.
    """

    workers: int
    batch: int
    wait_ms: float
    http: int = 0


@dataclass(frozen=True, slots=True)
class Contestant:
    """A server, what to send it, and the tunings of which the fastest is compared."""

    title: str
    payload: Payload
    start: Callable[[Tuning], AbstractContextManager[Server]]
    tunings: tuple[Tuning, ...]
    same_graphs: bool = True


@contextmanager
def _peer(name: str, ready: str, tuning: Tuning) -> Iterator[Server]:
    """One of the servers beside this file."""
    settings, port = Settings(), free_port()
    models = {
        "expression": settings.models_dir / settings.expression_model,
        "detector": settings.models_dir / settings.detector_model,
    }
    options = {"port": port, **asdict(tuning), **models}
    python = interpreter(name)
    command: list[str | Path] = [python, "-m", f"benchmarks.peers.{name}"]
    if name == "bentoml":
        command = [python.with_name("bentoml"), "serve", "benchmarks.peers.bentoml:Expressions"]
        command += ["--host", "127.0.0.1", "--port", str(port)]
    else:
        for option, value in options.items():
            command += [f"--{option.replace('_', '-')}", str(value)]
    with running(command, port, _variables(options), ready=ready) as server:
        yield server


def _variables(options: dict[str, object]) -> dict[str, str]:
    """For servers that take no arguments, and so that none calls home or writes into a home."""
    return {
        **{f"PEER_{name.upper()}": str(value) for name, value in options.items()},
        "BENTOML_DO_NOT_TRACK": "True",
        "BENTOML_HOME": str(CACHE / "home"),
        "RAY_AUTH_MODE": "disabled",
        "RAY_USAGE_STATS_ENABLED": "0",
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }


def _mien(tuning: Tuning) -> AbstractContextManager[Server]:
    return service(
        workers=tuning.workers, max_batch_size=tuning.batch, batch_wait_ms=tuning.wait_ms
    )


# Two processes for two CPUs, or one more than that; batches as large as mien's, or half that. Ray
# Serve waits for batches by default, so that is tried too.
_GREEDY = (Tuning(2, 8, 0), Tuning(2, 4, 0), Tuning(3, 4, 0))

FRAMEWORKS = {
    "litserve": Contestant(
        "LitServe",
        raw(PHOTO),
        partial(_peer, "litserve", "/health"),
        # By default it has as many processes for HTTP as for the models.
        (*_GREEDY, Tuning(1, 8, 0), Tuning(2, 8, 0, http=1), Tuning(2, 4, 0, http=1)),
    ),
    "bentoml": Contestant(
        "BentoML",
        listed(PHOTO),
        partial(_peer, "bentoml", "/readyz"),
        # Its wait is a bound on latency: what is predicted to take longer is refused.
        tuple(Tuning(workers, batch, 10_000) for workers, batch in ((2, 8), (2, 4), (3, 4))),
    ),
    "mlserver": Contestant(
        "MLServer",
        tensor(PHOTO),
        partial(_peer, "mlserver", "/v2/health/ready"),
        # It batches only where it may wait.
        (Tuning(2, 8, 1), Tuning(2, 8, 5), Tuning(2, 8, 10), Tuning(2, 4, 5), Tuning(3, 4, 5)),
    ),
    "ray_serve": Contestant(
        "Ray Serve",
        raw(PHOTO),
        partial(_peer, "ray_serve", "/-/healthz"),
        (*_GREEDY, Tuning(2, 8, 10)),
    ),
}
FER = Contestant(
    "fer behind FastAPI",
    form(PHOTO),
    partial(_peer, "fer", "/health"),
    (Tuning(1, 1, 0), Tuning(2, 1, 0)),
    same_graphs=False,
)
_ONE_OR_TWO = (Tuning(1, 8, 0), Tuning(2, 8, 0))
MIEN = Contestant("mien", raw(PHOTO), _mien, _ONE_OR_TWO)
MIEN_FORM = Contestant("mien, as a form", form(PHOTO), _mien, _ONE_OR_TWO)
