"""The command line: `mien serve` and `mien predict FILE...`."""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from service import __version__
from service.app import load_pipeline
from service.errors import ServiceError
from service.metrics import Metrics
from service.schemas import Prediction
from service.server import serve
from service.settings import Settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status: 2 for a wrong setting, 1 for what failed."""
    options = _parser().parse_args(arguments)
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
            return asyncio.run(_predict(settings, options.files))
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
    predict = commands.add_parser("predict", help="print one line of JSON for each image file")
    predict.add_argument("files", nargs="+", type=Path, metavar="FILE")
    return parser


async def _predict(settings: Settings, files: Sequence[Path]) -> int:
    """One line of JSON a file; what fails is told on stderr, and the rest is still done."""
    status = 0
    async with load_pipeline(settings, Metrics(version=__version__)) as (pipeline, models):
        for file in files:
            try:
                analysis = await pipeline.analyze(await asyncio.to_thread(file.read_bytes))
            except (OSError, ServiceError) as error:
                reason = error.strerror if isinstance(error, OSError) else error
                print(f"mien: {file}: {reason}", file=sys.stderr)
                status = 1
                continue
            prediction = Prediction.of(analysis, pipeline.labels, models.expression, "")
            found = prediction.model_dump(exclude={"request_id"})
            print(json.dumps({"file": str(file), **found}), flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
