"""Figures as pages show them."""

from typing import Any


def percent(share: float) -> str:
    return f"{100 * share:.2f}"


def table(columns: list[str], rows: list[list[Any]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
