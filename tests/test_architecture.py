"""The house rules of docs/architecture.md, read from the source with the AST."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# Imports point left only: a module may import those of earlier rows, never its own row or later.
LAYERS = [
    {"errors", "settings", "cpus", "timing", "vigil", "memory", "executor", "png"},
    {"handshake", "listener"},
    {"headers", "offers"},
    {"protocol"},
    {"drain"},
    {"metrics", "logs", "keys", "rate", "cors", "admission"},
    {"images", "faces", "candidates", "tracing", "metrics_server"},
    {"session"},
    {"centerface", "cells"},
    {"refiner"},
    {"detector", "classifier", "batcher"},
    {"explainer"},
    {"overlay", "analysis", "sight", "line"},
    {"pipeline"},
    {"uploads", "accept", "options", "schemas"},
    {"openapi"},
    {"state"},
    {"routes", "probes", "pages", "problems"},
    {"shortcut"},
    {"app"},
    {"supervisor"},
    {"server", "predict"},
    {"__main__"},
]
ROW = {module: row for row, modules in enumerate(LAYERS) for module in modules}
SERVICE = sorted((ROOT / "service").glob("*.py"))
TRAINING = sorted((ROOT / "training").rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """Every module that a file imports, at its top or inside a function, by its full name."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: expected absolute imports"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def service_modules(path: Path) -> set[str]:
    names = {name.split(".")[1] for name in imported(path) if name.startswith("service.")}
    return names & set(ROW)


def importers(package: str) -> set[str]:
    return {
        path.name
        for path in SERVICE
        if any(name.split(".")[0] == package for name in imported(path))
    }


@pytest.mark.parametrize("path", SERVICE, ids=lambda path: path.stem)
def test_service_imports_point_one_way(path: Path) -> None:
    if path.stem == "__init__":
        assert not service_modules(path)
        return
    assert path.stem in ROW, f"{path.name} has no place in the order of imports"
    right = {name for name in service_modules(path) if ROW[name] >= ROW[path.stem]}
    assert not right, f"{path.stem} must not import {right}"


@pytest.mark.parametrize("package", ["keras", "tensorflow", "training", "onnx", "tf2onnx", "jax"])
def test_service_never_imports(package: str) -> None:
    assert importers(package) == set()


def test_training_never_imports_service() -> None:
    for path in TRAINING:
        assert not any(name.split(".")[0] == "service" for name in imported(path)), path


def test_one_module_imports_onnxruntime() -> None:
    assert importers("onnxruntime") == {"session.py"}


def test_one_module_imports_opentelemetry() -> None:
    assert importers("opentelemetry") == {"tracing.py"}


def test_only_the_app_reads_settings() -> None:
    readers = {path.stem for path in SERVICE if "settings" in service_modules(path)}
    assert readers <= {"app", "server", "predict", "__main__"}


def test_middleware_is_pure_asgi() -> None:
    for path in SERVICE:
        assert "BaseHTTPMiddleware" not in path.read_text(), path


def test_files_are_named_after_their_noun() -> None:
    vague = {"utils", "helpers", "common", "misc", "base", "core"}
    for path in [*SERVICE, *TRAINING]:
        assert path.stem not in vague, path
        assert not vague & set(path.relative_to(ROOT).parent.parts), path
