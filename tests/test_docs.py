"""The docs name everything that the code has, and show nothing that it has not."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric

from service.app import create_app
from service.errors import ModelError, ServiceError, Unavailable
from service.metrics import Metrics
from service.settings import Settings

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "models").rglob("*.md")])


def text(name: str) -> str:
    return (DOCS / name).read_text()


def subclasses(cls: type[ServiceError]) -> Iterator[type[ServiceError]]:
    for child in cls.__subclasses__():
        yield child
        yield from subclasses(child)


@pytest.mark.parametrize("field", sorted(Settings.model_fields))
def test_every_setting_is_documented_with_its_default(field: str) -> None:
    rows = [
        line for line in text("configuration.md").splitlines() if f"MIEN_{field.upper()}" in line
    ]
    assert len(rows) >= 1, f"docs/configuration.md does not name MIEN_{field.upper()}"
    description = Settings.model_fields[field].description
    assert description is not None
    assert any(description.rstrip(".") in row for row in rows)


# ModelError ends the start and never reaches HTTP; Unavailable is raised as one of its kinds.
ON_THE_WIRE = set(subclasses(ServiceError)) - {ModelError, Unavailable}


@pytest.mark.parametrize("error", sorted(ON_THE_WIRE, key=str))
def test_every_error_code_is_documented_with_its_status(error: type[ServiceError]) -> None:
    rows = [line for line in text("api.md").splitlines() if f"`{error.code}`" in line]
    assert any(str(error.status) in row for row in rows), f"docs/api.md lacks {error.code}"


def test_every_route_is_documented() -> None:
    page = text("api.md")
    for path, methods in create_app(Settings()).openapi()["paths"].items():
        for method in methods:
            assert f"{method.upper()} {path}" in page


def metrics_of(registry: CollectorRegistry) -> list[Metric]:
    return [metric for metric in registry.collect() if metric.name.startswith("mien_")]


def test_every_metric_is_documented_with_its_unit_in_the_name() -> None:
    page = text("operations.md")
    metrics = metrics_of(Metrics(version="0").registry)
    assert len(metrics) > 8
    for metric in metrics:
        name = metric.name + ("_total" if metric.type == "counter" else "")
        assert f"`{name}" in page, f"docs/operations.md does not name {name}"


def test_the_docs_show_no_setting_or_metric_that_is_gone() -> None:
    known = {f"MIEN_{field.upper()}" for field in Settings.model_fields} | {"MIEN_FER2013"}
    for page in PAGES:
        for name in re.findall(r"\bMIEN_[A-Z0-9_]+\b", page.read_text()):
            assert name in known, f"{page.name} names {name}"
    names = {metric.name for metric in metrics_of(Metrics(version="0").registry)}
    for name in re.findall(r"`(mien_[a-z_]+)", text("operations.md")):
        assert name.removesuffix("_total") in names, name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_promise_of_security_names_tests_that_exist() -> None:
    rows = [
        line.strip("|").split("|")
        for line in text("security.md").split("## What is promised")[1].splitlines()
        if line.startswith("|") and "---" not in line and "shown by" not in line
    ]
    assert len(rows) > 20
    for promise, *_, shown in rows:
        named = re.findall(r"`(tests/\S+\.py)::(\w+)`", shown)
        assert named, f"nothing shows that {promise.strip()}"
        for path, name in named:
            functions = ast.walk(ast.parse((ROOT / path).read_text()))
            assert name in {getattr(function, "name", "") for function in functions}, (
                f"{path}: {name}"
            )


def test_the_readme_quotes_the_released_figures() -> None:
    readme = (ROOT / "README.md").read_text()
    directory = ROOT / "models" / Settings().expression_model
    metrics = json.loads((directory / "metrics.json").read_text())
    for name, of in metrics["splits"].items():
        shares = (f"{100 * of[each]:.2f}" for each in ("accuracy", "balanced_accuracy"))
        assert f"| {name} | {' | '.join(shares)} | {of['ece_15']:.3f} |" in readme
    int8 = {name: f"{100 * of['int8']:.2f}" for name, of in metrics["int8"]["accuracy"].items()}
    told = f"{int8['PublicTest']} on PublicTest and {int8['PrivateTest']} on PrivateTest."
    assert told in " ".join(readme.split())


SPLITS = ("Training", "PublicTest")


def results(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "benchmarks" / "results" / name).read_text())
    return found


def test_the_page_on_detection_quotes_how_faces_are_cut_out() -> None:
    page, framing = text("detection.md"), results("framing.json")
    kinds = [found["ways"] for name, found in framing.items() if name.startswith(SPLITS)]
    assert len(kinds) == 4
    for way in kinds[0]:
        cells = [
            f"{100 * found[way]['accuracy']:.2f}"
            # The service is not compared with itself.
            + (f" ({found[way]['p']:.2g})" if found[way]["gained"] + found[way]["lost"] else "")
            for found in kinds
        ]
        assert f"| {way} | {' | '.join(cells)} |" in page


def test_the_page_on_detection_quotes_what_looks_are_worth() -> None:
    page, looks = text("detection.md"), results("looks.json")
    kinds = {name: found for name, found in looks.items() if name.endswith(" px")}
    assert len(kinds) == 3
    for name, found in kinds.items():
        faces = [found[look]["faces"] for look in ("first look", "service")]
        left = found["nothing in the first look"]
        coarse, fine = (
            found[f"of these in the {look} look"]["faces"] for look in ("coarse", "fine")
        )
        cells = (
            *(name, found["scenes"], faces[0], f"{coarse} of {left}", f"{fine} of {left}"),
            *(faces[1], found["service"]["cost in first looks"]),
        )
        assert f"| {' | '.join(map(str, cells))} |" in page


def test_the_tree_in_the_readme_is_the_tree() -> None:
    tree = (ROOT / "README.md").read_text().split("```tree\n")[1].split("```")[0]
    for line in tree.splitlines():
        path = line.split()[0]
        assert (ROOT / path).exists(), f"the README's tree shows {path}"
