"""The tables of docs/performance.md, from benchmarks/results. `python -m benchmarks.performance`.

A table stands between `<!-- table: NAME -->` and `<!-- end -->`; all else on the page is prose,
which tells no figure.
"""

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from benchmarks.process import ROOT
from benchmarks.record import RESULTS, told

PAGE = ROOT / "docs" / "performance.md"

_TABLE = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)

# What must hold: result, ratio, what it tells, bound, and whether that is the least or the most.
_BOUNDS = (
    (
        "service",
        "photos_vs_limit_in_processes",
        "photos a second of a CPU, a process for each: of the limit with a process for each",
        0.85,
        "at least",
    ),
    (
        "service",
        "photos_vs_limit",
        "the same: of the limit in one process, with a thread for each CPU",
        0.85,
        "at least",
    ),
    (
        "service",
        "photos_of_one_process_vs_limit",
        "photos a second of a CPU, one process: of the limit in one process",
        0.85,
        "at least",
    ),
    (
        "service",
        "p99_over_p50_at_80",
        "p99 / p50 at 80 % of capacity: photos, a process for each CPU",
        4.0,
        "at most",
    ),
    ("peers", "p99_over_p50_at_80", "the same, when it was compared with others", 4.0, "at most"),
    ("peers", "vs_best_framework", "photos a second, of the best framework's", 1.3, "at least"),
    ("peers", "vs_fer", "photos a second, of `fer` behind FastAPI", 3.0, "at least"),
    (
        "overload",
        "p99_accepted_over_p99_at_80",
        "p99 of those answered 200 when ten times too many come, of that at 80 %",
        3.0,
        "at most",
    ),
    ("startup", "ready_s", "seconds from start to ready", 2.0, "at most"),
    ("startup", "rss_mb", "MiB after the soak", 350, "at most"),
)


def render(page: str, results: Path) -> str:
    """The page with each table as the results have it now. Raises `KeyError` for an unknown one."""

    def table(match: re.Match[str]) -> str:
        begin, name, end = match.groups()
        return begin + TABLES[name](results) + end

    return _TABLE.sub(table, page)


def _read(results: Path, name: str) -> Any:
    """A result, or None if it was not measured."""
    path = results / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def _markdown(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    head = list(head)
    lines = [head, ["---"] + ["--:"] * (len(head) - 1), *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def _range(found: dict[str, float]) -> str:
    return f"{found['least']} to {found['most']}"


def _missing(name: str) -> str:
    return f"Not measured yet: `python -m benchmarks.{name}`.\n"


def _bounds(results: Path) -> str:
    rows = []
    for name, key, what, bound, kind in _BOUNDS:
        ratios = (_read(results, name) or {"ratios": {}})["ratios"]
        found = ratios.get(key, "not measured")
        rows.append([what, found, f"{kind} {bound}"])
    return _markdown(["", "found", "asked for"], rows)


def _machines(results: Path) -> str:
    rows = []
    for name in ("limit", "service", "peers", "startup", "overload", "fuzz"):
        result = _read(results, name)
        if result:
            machine = result["machine"]
            what = f"{machine['cpus']} CPUs of {told(machine)}, {machine['memory_gb']} GiB"
            software = (
                f"Python {machine['python']}, onnxruntime {machine['packages']['onnxruntime']}"
            )
            code = re.sub(r"(?<=^\w{7})\w+", "", machine["commit"])  # a short hash, maybe "-dirty"
            rows.append([name, what, machine["system"], software, code, machine["load"]])
    return _markdown(
        ["measurement", "machine", "system", "software", "commit", "load before"], rows
    )


def _limit(results: Path) -> str:
    result = _read(results, "limit")
    if result is None:
        return _missing("limit")
    rows = [
        [
            name,
            image["per_s"]["median"],
            _range(image["per_s"]),
            image["per_s_of_threads"]["median"],
            image["per_s_of_one_thread"]["median"],
            image["cpu_ms"]["median"],
        ]
        for name, image in result["images"].items()
    ]
    cpus = result["cpus"]
    head = ["image", f"a second, {cpus} processes", "range", f"{cpus} threads", "one thread"]
    return _markdown([*head, "CPU ms"], rows)


def _stages(results: Path) -> str:
    result = _read(results, "limit")
    if result is None:
        return _missing("limit")
    images = result["images"]
    stages = next(iter(images.values()))["stages_ms"]
    rows = [[stage, *(image["stages_ms"][stage] for image in images.values())] for stage in stages]
    return _markdown(["CPU ms", *images], rows)


def _closed(results: Path) -> str:
    result = _read(results, "service")
    if result is None:
        return _missing("service")
    rows = []
    for key, found in result["closed_loop"].items():
        name, how, workers = key.split()
        rows.append(
            [
                *(name, how, workers),
                found["per_s"]["median"],
                _range(found["per_s"]),
                found["cpu_ms"]["median"],
                found["client_cpus"],
            ]
        )
    rows += [
        [
            *(image, "limit", how or "processes"),
            found["per_s"]["median"],
            _range(found["per_s"]),
            found["cpu_ms"]["median"],
            "",
        ]
        for name, found in result["limit"].items()
        for image, _, how in [name.partition(", ")]
    ]
    return _markdown(["image", "sent", "workers", "a second", "range", "CPU ms", "client"], rows)


def _open(results: Path) -> str:
    result = _read(results, "service")
    if result is None:
        return _missing("service")
    rows = []
    for key, found in result["open_loop"].items():
        name, workers, load = key.split()
        latencies = (found[f"p{percent}_ms"] for percent in (50, 95, 99))
        others = sum(found["others"].values())
        rows.append(
            [name, workers, f"{load} %", found["per_s"], *latencies, found["p99_over_p50"], others]
        )
    head = ["image", "workers", "load", "a second", "p50 ms", "p95 ms", "p99 ms", "p99 / p50"]
    return _markdown([*head, "not 200"], rows)


def _peers(results: Path) -> str:
    result = _read(results, "peers")
    if result is None:
        return _missing("peers")
    rows = [
        [
            found["title"],
            found["per_s"]["median"],
            _range(found["per_s"]),
            found["cpu_ms"]["median"],
            found["p50_ms_at_80"],
            found["p99_ms_at_80"],
            found["p99_over_p50_at_80"],
            found["not_200_at_80"],
            found["resident_mb"],
        ]
        for found in result["contestants"].values()
    ]
    bare = result["no_server"]
    paces = [bare["per_s"]["median"], _range(bare["per_s"]), bare["cpu_ms"]["median"]]
    rows.append(["no server", *paces, *[""] * 5])
    head = ["server", "photos a second", "range", "CPU ms", "p50 ms at 80 %", "p99 ms at 80 %"]
    table = _markdown([*head, "p99 / p50", "not 200", "MiB"], rows)
    left_out = result["left_out"]
    return table + "".join(f"\nLeft out: {title}: {why}\n" for title, why in left_out.items())


def _tunings(results: Path) -> str:
    result = _read(results, "peers")
    if result is None:
        return _missing("peers")
    rows = [
        [
            result["contestants"][name]["title"],
            *(tried["workers"], tried.get("http") or "", tried["batch"]),
            *(tried["wait_ms"], tried["per_s"]),
        ]
        for name, tunings in result["tunings"].items()
        for tried in sorted(tunings, key=lambda tuning: -tuning["per_s"])
    ]
    head = ["server", "processes", "of HTTP", "batch", "wait ms", "photos a second"]
    return _markdown(head, rows)


def _startup(results: Path) -> str:
    result = _read(results, "startup")
    if result is None:
        return _missing("startup")
    ready, memory, soak = (result[key] for key in ("ready_s", "resident_mb", "soak"))
    rows = [
        ["start to ready, seconds", f"{ready['median']} ({ready['least']} to {ready['most']})"],
        ["memory idle, MiB", memory["idle"]],
        ["memory under load, MiB", memory["under_load"]],
        [f"memory after {soak['requests']} mixed requests, MiB", memory["after_soak"]],
        ["slope of memory, MiB in 1000 requests", soak["slope_mb_per_1000_requests"]],
    ]
    return _markdown(["", "found"], rows)


def _overload(results: Path) -> str:
    result = _read(results, "overload")
    if result is None:
        return _missing("overload")
    rows = []
    for workers, found in result["services"].items():
        flood = dict(found["flood"])
        answered, refused = flood.pop("200", 0), flood.pop("503", 0)
        p99 = (found["p99_ms_at_80"], found["p99_ms_of_accepted"])
        ratios = (f"{found[of]['median']} ({_range(found[of])})" for of in ("waiting", "after"))
        rows.append([workers, answered, refused, sum(flood.values()), *p99, *ratios])
    head = ["processes", "200", "503", "other", "p99 ms at 80 %", "p99 ms of the 200", "ratio"]
    return _markdown([*head, "throughput after / before"], rows)


def _fuzz(results: Path) -> str:
    result = _read(results, "fuzz")
    if result is None:
        return _missing("fuzz")
    rows = [
        ["damaged images", result["inputs"]],
        *([f"answered {status}", n] for status, n in result["statuses"].items()),
        ["longer than a second", len(result["over_a_second_alone"])],
        ["slope of memory, MiB in 1000 images", result["ratios"]["slope_mb_per_1000"]],
    ]
    return _markdown(["", "found"], rows)


TABLES: dict[str, Callable[[Path], str]] = {
    "bounds": _bounds,
    "machines": _machines,
    "limit": _limit,
    "stages": _stages,
    "closed": _closed,
    "open": _open,
    "peers": _peers,
    "tunings": _tunings,
    "startup": _startup,
    "overload": _overload,
    "fuzz": _fuzz,
}


if __name__ == "__main__":
    PAGE.write_text(render(PAGE.read_text(), RESULTS))
