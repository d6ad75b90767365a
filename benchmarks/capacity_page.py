"""The tables that docs/operations.md shows of benchmarks/results/capacity.json."""

import json
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.process import ROOT
from benchmarks.record import told

PAGE = ROOT / "docs" / "operations.md"

_TABLES = re.compile(r"(<!-- table: capacity -->\n).*?(<!-- end -->)", re.DOTALL)
_MISSING = "Not measured yet: `python -m benchmarks.capacity`.\n"


def render(page: str, result: Path) -> str:
    """The page with the tables as the result has them now."""
    text = _tables(json.loads(result.read_text())) if result.exists() else _MISSING
    return _TABLES.sub(lambda marks: marks[1] + text + marks[2], page)


def _tables(result: dict[str, Any]) -> str:
    """What a replica carries, how many it takes, and how far the simulation holds."""
    return "\n".join(
        [
            f"Measured with {_models(result['models'])} on {told(result['machine'])}.\n",
            "Photos a second that one replica carries, 99 % of them answered in time:\n",
            *_photos(result["photos"]),
            "\nReplicas, for photos of all three sizes alike:\n",
            *_replicas(result["replicas_for_per_s"]),
            "\nThe simulation beside the service, p50 / p99 in ms and the share refused:\n",
            *_checks(result["checks"]),
            f"\n{_margin(result['checks'])}",
            "",
        ]
    )


def _models(models: dict[str, str]) -> str:
    """Such as "expression 2.0.0 int8 and detector 2.0.0 int8"."""
    return " and ".join(f"{name} {version}" for name, version in models.items())


def _photos(photos: dict[str, Any]) -> Iterable[str]:
    limits = next(iter(photos.values()))["per_s_within_ms"]
    return _table(
        [
            *("photo", "ms each", "at most"),
            *(f"within {limit} ms" for limit in limits),
            *("p99 at the autoscaler's load, ms", "CPU hours a million"),
        ],
        (
            [
                *(name, _short(row["ms"]), _short(row["saturation_per_s"])),
                *map(_short, row["per_s_within_ms"].values()),
                *(_short(row["autoscaled_p99_ms"]), _short(row["cpu_hours_a_million"])),
            ]
            for name, row in photos.items()
        ),
    )


def _replicas(rates: dict[str, Any]) -> Iterable[str]:
    limits = next(iter(rates.values()))
    return _table(
        ["photos a second", *(f"p99 within {limit} ms" for limit in limits)],
        (
            [rate, *("-" if count is None else str(count) for count in counts.values())]
            for rate, counts in rates.items()
        ),
    )


def _checks(checks: list[dict[str, Any]]) -> Iterable[str]:
    return _table(
        ["replicas", "load", "photos a second", "measured", "simulated"],
        (
            [
                *(str(row["replicas"]), f"{row['load']:.0%}", _short(row["per_s"])),
                *(_latency(row[side]) for side in ("measured", "simulated")),
            ]
            for row in checks
        ),
    )


def _margin(checks: list[dict[str, Any]]) -> str:
    """What the difference means for who plans with the simulation."""
    worse = max(row["measured"]["p99_ms"] / row["simulated"]["p99_ms"] for row in checks)
    worse = math.ceil(10 * worse) / 10
    return (
        f"The service's p99 is up to {worse} times the simulated one: for a promise, take the\n"
        "column of a limit that is so many times shorter."
    )


def _latency(found: dict[str, float]) -> str:
    return f"{_short(found['p50_ms'])} / {_short(found['p99_ms'])}, {found['refused']:.1%}"


def _short(value: float) -> str:
    """Three digits, or all of those before the point."""
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def _table(head: list[str], rows: Iterable[list[str]]) -> Iterable[str]:
    for cells in (head, ["---"] * len(head), *rows):
        yield f"| {' | '.join(cells)} |"
