"""The command line: `mien serve`, `mien predict PATH...` and `mien key`."""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from service import __version__
from service.errors import ServiceError
from service.keys import hash_key, new_key
from service.predict import Job, predict
from service.server import serve
from service.settings import Settings, misspelt


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status.

    2 is a wrong setting, 1 what could not go on; `predict` has 65 for files that are no photos, and
    70 for those on which a model failed.
    """
    options = _parser().parse_args(arguments)
    if options.command == "key":
        key = new_key()
        print(f"key   {key}\nhash  {hash_key(key)}")
        return 0
    if meant := misspelt(os.environ):
        for variable, name in meant.items():
            print(f"mien: {variable}: no such setting; did you mean {name}?", file=sys.stderr)
        return 2
    given = {name: getattr(options, name, None) for name in ("host", "port", "workers")}
    try:
        settings = Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        for fault in error.errors():
            name = str(fault["loc"][0]).upper().removeprefix("MIEN_")
            print(f"mien: MIEN_{name}: {fault['msg']}", file=sys.stderr)
        return 2
    try:
        if options.command == "predict":
            return asyncio.run(predict(settings, _job(options)))
        return serve(settings)
    except (OSError, ServiceError) as error:
        print(f"mien: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mien",
        description="Finds faces and tells their expressions. Without a command, it serves.",
        epilog="All settings are environment variables: see docs/configuration.md.",
    )
    parser.add_argument("--version", action="version", version=f"mien {__version__}")
    commands = parser.add_subparsers(dest="command")
    serve = commands.add_parser("serve", help="serve over HTTP until SIGTERM or Ctrl-C")
    serve.add_argument("--host", help="address to listen on (MIEN_HOST)")
    serve.add_argument("--port", help="port to listen on (MIEN_PORT)")
    serve.add_argument("--workers", help="server processes (MIEN_WORKERS)")
    predict = commands.add_parser(
        "predict", help="print one line of JSON for each image in files, folders and globs"
    )
    predict.add_argument("paths", nargs="+", metavar="PATH")
    predict.add_argument("--csv", action="store_true", help="one row a face instead")
    predict.add_argument(
        "--overlay", type=Path, metavar="DIR", help="write each image there with boxes and labels"
    )
    predict.add_argument(
        "--rotate", action="store_true", help="look at photos that lie on a side too"
    )
    predict.add_argument(
        "--shard", type=_shard, default=(1, 1), metavar="I/N", help="only the I-th of N parts"
    )
    commands.add_parser(
        "key", help="print a new key, for who may send images, and its hash, for MIEN_API_KEYS"
    )
    return parser


def _job(options: argparse.Namespace) -> Job:
    return Job(options.paths, options.csv, options.overlay, options.rotate, options.shard)


def _shard(text: str) -> tuple[int, int]:
    """The i-th of n parts, from 1, as it is written on the command line: I/N."""
    index, _, shards = text.partition("/")
    if not (index.isdecimal() and shards.isdecimal() and 1 <= int(index) <= int(shards)):
        raise argparse.ArgumentTypeError(f"expected I/N with I from 1 to N, found {text!r}")
    return int(index), int(shards)


if __name__ == "__main__":
    sys.exit(main())
