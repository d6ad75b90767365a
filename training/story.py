"""What the report tells in sentences, every figure in them read from results.json."""

from typing import Any

from training.comparison import SYSTEMS, WHOLE_TEST, System
from training.markdown import percent, table
from training.metrics import wilson_interval

# Recalls that the paper's section 5 names, of its 7,178 test images; it gives none for angry.
PAPER_ACCURACY = 0.7013
PAPER_RECALL = {
    "disgust": 0.25,
    "fear": 0.80,
    "happy": 0.73,
    "sad": 0.67,
    "surprise": 1.00,  # "perfect separation"
    "neutral": 0.73,  # 27 % "misclassified"
}
NEAR = 3.0  # points within which a published accuracy holds


def beside_published(system: System, found: dict[str, Any]) -> tuple[float, int, str]:
    """The accuracy that is most like the published one, of how many images, and what it is of."""
    if system.name == "VGGNet":
        images = found["splits"]["PublicTest"]["images"]
        if ten_crop := found["ten_crop_accuracy"]:
            return ten_crop["PublicTest"], images, "PublicTest with ten crops"
        return found["splits"]["PublicTest"]["accuracy"], images, "PublicTest"
    both = found["splits"][WHOLE_TEST]
    return both["accuracy"], both["images"], WHOLE_TEST


def what_held(systems: dict[str, Any]) -> str:
    repeated: list[str] = []
    others: list[str] = []
    for system in SYSTEMS:
        if system.published is None:
            continue
        found = systems[system.name]
        lines = repeated if system.repeated else others
        if found is None:
            lines.append(f"- **{system.name}**, {system.published:.2f} published: not trained.")
            continue
        accuracy, images, of = beside_published(system, found)
        low, high = wilson_interval(round(accuracy * images), images)
        gap = 100 * accuracy - system.published
        verdict = "holds" if abs(gap) <= NEAR else "is exceeded" if gap > 0 else "is not reached"
        lines.append(
            f"- **{system.name}**, {system.published:.2f} published"
            f"{f': {verdict}' if system.repeated else ''}. Ours is {percent(accuracy)} on {of} "
            f"({100 * low:.2f} to {100 * high:.2f} at 95 %), {gap:+.2f} points; "
            f"{found['convergence']}."
        )
    return "\n".join(
        [
            *repeated,
            "",
            f'"Holds" is within {NEAR:g} points, either way.',
            "",
            "Of the others too little was published to do the same again, see above. What is ours "
            "stands beside their figures all the same, and proves or disproves none of them:",
            "",
            *others,
        ]
    )


def why_missed(results: dict[str, Any]) -> str:
    """What the runs say of a `proposed` that misses its published accuracy; nothing if it holds."""
    proposed, balancing = results["systems"]["proposed"], results["balancing"]
    if proposed is None or balancing["none"] is None:
        return ""
    accuracy = proposed["splits"][WHOLE_TEST]["accuracy"]
    gap = PAPER_ACCURACY - accuracy
    if 100 * gap <= NEAR:
        return ""
    curve = proposed["curve"]
    best = max(curve["PublicTest"])
    unweighted = balancing["none"]["splits"][WHOLE_TEST]["accuracy"]
    cost = 100 * (unweighted - accuracy)
    fitted = curve["training"][-1]
    return (
        f"What the runs say of the {100 * gap:.1f} points that `proposed` misses. "
        f"{'It learnt too little, not too much: d' if fitted < PAPER_ACCURACY else 'D'}uring its "
        f"last epoch it was right on {percent(fitted)} % of the Training images, with "
        f"augmentation and dropout, and after it on {percent(curve['PublicTest'][-1])} % of "
        f"PublicTest's; to choose its best epoch on these would add "
        f"{100 * (best - curve['PublicTest'][-1]):.1f} points. Class weights "
        f"{f'cost {cost:.1f}' if cost > 0 else 'cost nothing'}: without them the same network has "
        f"{percent(unweighted)} on both splits. For the other "
        f"{100 * (PAPER_ACCURACY - max(unweighted, accuracy)):.1f} no single cause was measured. "
        "The paper does not say how its learning rate falls, which decides how much a network "
        "learns, nor by how much it changes the brightness; and of its batches its text says 32 "
        "and its table 64."
    )


def paper_angry_recall(test_counts: dict[str, int]) -> float:
    """The recall of angry that the paper's accuracy needs, given the recalls that it names."""
    named = sum(PAPER_RECALL[name] * test_counts[name] for name in PAPER_RECALL)
    needed = PAPER_ACCURACY * sum(test_counts.values()) - named
    return needed / test_counts["angry"]


def confusion_story(results: dict[str, Any]) -> str:
    needed = results["paper_angry_recall"]
    disgust = results["data"]["test"]["disgust"]
    return (
        f"Read as recalls, the paper's figures reach its accuracy of {percent(PAPER_ACCURACY)} "
        f"only if {percent(needed)} % of the angry faces were right. Its text calls surprise a "
        f'"perfect separation" and gives disgust 25 %: one of the {disgust} images of disgust is '
        f"{100 / disgust:.1f} points. The chart is of {results['confusion_of']}."
    )


def audit_story(audit: dict[str, Any] | None) -> str:
    if audit is None:
        return "Not audited: `python -m training.audit` has not run."
    kinds = audit["counts"]
    splits = list(next(iter(kinds.values())))
    counts = table(
        ["finding", *splits], [[kind, *by_split.values()] for kind, by_split in kinds.items()]
    )
    if not audit["raters"]:
        how = "The data set was packed without FER+'s votes: only blank images can be found."
    elif audit["out_of_fold"]:
        how = (
            "Mislabelled is an image for which more than half of FER+'s raters name one other "
            "expression, one at most names the label, and a network that never saw it agrees."
        )
    else:
        how = (
            "Mislabelled is an image for which more than half of FER+'s raters name one other "
            "expression, and one at most names the label. This is by votes alone: the networks "
            "that would have to agree, out of fold, are not trained."
        )
    common = ", ".join(f"{change} ({count})" for change, count in audit["most_common"].items())
    return f"{how}\n\n{counts}\n\nThe most common changes: {common or 'none'}."
