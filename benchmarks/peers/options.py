"""What every peer's server is told on its command line."""

import argparse
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Where to listen, which models to load, and how to batch."""

    port: int
    workers: int
    batch: int
    wait_ms: float
    http: int
    expression: Path
    detector: Path


def parse() -> ServerOptions:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, required=True, help="processes that run the models")
    parser.add_argument("--batch", type=int, required=True, help="most images in one call")
    parser.add_argument("--wait-ms", type=float, required=True, help="how long a batch may fill")
    parser.add_argument("--http", type=int, required=True, help="processes that speak HTTP")
    parser.add_argument("--expression", type=Path, required=True, help="a model directory")
    parser.add_argument("--detector", type=Path, required=True, help="a model directory")
    return ServerOptions(**vars(parser.parse_args()))
