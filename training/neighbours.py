"""Each system against the next better one, on the images of both test splits.

McNemar's test asks which images only one of two got right. Where the answers of one of them were
not kept, an earlier report's test of the same two stands, or their confusion matrices bound p.
"""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.metrics import mcnemar


def answers(text: str) -> NDArray[np.uint8]:
    """The class of each image, as results.json has it: a digit each."""
    return np.frombuffer(text.encode(), np.uint8) - ord("0")


def digits(said: NDArray[np.integer[Any]]) -> str:
    """The same as text."""
    return "".join(map(str, said.tolist()))


def compare_neighbours(
    systems: dict[str, dict[str, Any]],
    labels: NDArray[np.uint8],
    earlier: Iterable[dict[str, Any]] = (),
) -> list[dict[str, Any]]:
    """McNemar's test of each pair, the best first; systems have "confusion" and maybe "said".

    Where either's answers are missing, the test is that of `earlier` tests which fits, or else
    "p_at_most" stands in place of "p" and the counts.
    """
    known = {(test["better"], test["worse"]): test for test in earlier if "p" in test}
    order = sorted(systems, key=lambda name: -np.trace(systems[name]["confusion"]))
    tests = []
    for names in pairwise(order):
        better, worse = (systems[name] for name in names)
        lead = int(np.trace(better["confusion"]) - np.trace(worse["confusion"]))
        test: dict[str, Any] = dict(zip(("better", "worse"), names, strict=True))
        if "said" in better and "said" in worse:
            first, second = (answers(system["said"]) == labels for system in (better, worse))
            only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
            p = mcnemar(only_first, only_second)
            test |= {"only_better_right": only_first, "only_worse_right": only_second}
            test["p"] = float(f"{p:.3g}")
        elif names in known and _lead(known[names]) == lead:  # else one was trained anew
            test = known[names]
        else:
            p = _bound(better["confusion"], worse["confusion"])
            test["p_at_most"] = float(f"{p:.3g}")
        tests.append(test)
    return tests


def _lead(test: dict[str, Any]) -> int:
    lead: int = test["only_better_right"] - test["only_worse_right"]
    return lead


def _bound(better: list[list[int]], worse: list[list[int]]) -> float:
    """The largest p that McNemar's test can give to two confusion matrices of the same images.

    Their difference is known, and the more images they disagree on, the less it means: in each
    class, at most as many as one gets right and the other wrong.
    """
    images = np.sum(better, axis=1)
    first, second = np.diag(better), np.diag(worse)
    only_better = int(np.minimum(first, images - second).sum())
    return mcnemar(only_better, only_better - int((first - second).sum()))
