"""What the report tells in sentences, every figure in them read from results.json."""

from typing import Any

from training.comparison import SYSTEMS, WHOLE_TEST
from training.markdown import percent, table

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


def what_held(systems: dict[str, Any]) -> str:
    lines = []
    for system in SYSTEMS:
        if system.published is None:
            continue
        found = systems[system.name]
        if found is None:
            lines.append(f"- **{system.name}**, {system.published:.2f} published: not trained.")
            continue
        split = "PublicTest" if system.name == "VGGNet" else WHOLE_TEST
        figures = found["splits"][split]
        low, high = (100 * bound for bound in figures["accuracy_interval_95"])
        gap = 100 * figures["accuracy"] - system.published
        verdict = "holds" if abs(gap) <= NEAR else "is exceeded" if gap > 0 else "is not reached"
        lines.append(
            f"- **{system.name}**, {system.published:.2f} published: {verdict}. Ours is "
            f"{percent(figures['accuracy'])} on {split} ({low:.2f} to {high:.2f} at 95 %), "
            f"{gap:+.2f} points; {found['convergence']}."
        )
    lines.append("")
    lines.append(f'"Holds" is within {NEAR:g} points, either way.')
    return "\n".join(lines)


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
    return (
        f"What the runs say of the {100 * gap:.1f} points that `proposed` misses. After its last "
        f"epoch it is right on {percent(curve['training'][-1])} % of the Training images, turned, "
        f"zoomed and lit as the paper says, and on {percent(curve['PublicTest'][-1])} % of "
        f"PublicTest's; to choose its best epoch on these would add "
        f"{100 * (best - curve['PublicTest'][-1]):.1f} points. Class weights cost "
        f"{100 * (unweighted - accuracy):.1f}: without them the same network has "
        f"{percent(unweighted)} on both splits. For the other "
        f"{100 * (PAPER_ACCURACY - unweighted):.1f} nothing that the paper tells is the reason; "
        'of the learning rate it tells "with decay", and not which.'
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
