"""What a server told of a photo, whatever form its answer has."""

import json
from collections.abc import Iterator
from typing import Any

# Bytes and batches may change the last digits of a probability.
TOLERANCE = 0.005


def check_answer(body: str, expected: dict[str, float], *, same_graphs: bool) -> None:
    """Raises `RuntimeError` unless the answer has one face, with the probabilities of `expected`.

    Other graphs than ours may say anything of the same expressions.
    """
    try:
        found = list(_expressions(json.loads(body), set(expected)))
    except ValueError as error:
        raise RuntimeError(f"expected one face with {expected} in JSON, found {body}") from error
    right = len(found) == 1 and (
        not same_graphs
        or all(abs(found[0][name] - value) <= TOLERANCE for name, value in expected.items())
    )
    if not right:
        raise RuntimeError(f"expected one face with {expected}, found {found}")


def _expressions(answer: Any, names: set[str]) -> Iterator[dict[str, float]]:
    """All that is a number for each of `names`, however deep, also in JSON that is a text."""
    if isinstance(answer, dict):
        if set(answer) == names:
            yield answer
        else:
            for part in answer.values():
                yield from _expressions(part, names)
    elif isinstance(answer, list):
        for part in answer:
            yield from _expressions(part, names)
    elif isinstance(answer, str) and answer.startswith(("[", "{")):
        yield from _expressions(json.loads(answer), names)
