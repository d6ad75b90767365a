"""What is wrong with FER-2013's images: `python -m training.audit --data F --out runs/audit`.

Finds images that are no face (blank, or for most of FER+'s ten raters) and images that are likely
mislabelled: FER+'s majority (over half of the raters, less who stand alone) names one other
expression, one rater at most names the label,
and, where `training.folds` has run, a network that never saw the image agrees with the raters.
Writes findings.csv, one line an image, and audit.json, their counts; the pictures of them are
contact sheets. Configs with `cleaning="drop"` or "relabel" show what that does to accuracy.
"""

import argparse
import csv
import json
from collections import Counter
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from training.dataset import Dataset, Split
from training.labels import EXPRESSIONS, FERPLUS_COLUMNS, FERPLUS_TO_EXPRESSION
from training.metrics import Floats, majority_votes
from training.pictures import draw_faces

Kind = Literal["blank", "not a face", "mislabelled"]
KINDS: tuple[Kind, ...] = ("blank", "not a face", "mislabelled")
SHEET = 48  # images on a contact sheet


class AuditError(ValueError):
    """The findings don't belong to the data set that they are used with."""


@dataclass(frozen=True)
class Finding:
    """One image that something is wrong with, and why we think so."""

    index: int  # position in the data set
    row: int  # in fer2013.csv; -1 where it is unknown
    split: str
    label: str
    kind: Kind
    suggestion: str  # the expression that the raters saw; empty for no face
    votes_for_label: int
    votes_for_suggestion: int  # or for "no face"
    out_of_fold: str  # what a network said that never saw the image; empty without folds
    out_of_fold_label_probability: float  # that the network gave the label; -1 without folds


def find(dataset: Dataset, out_of_fold: Floats | None = None) -> list[Finding]:
    """All findings in the data set's order; `out_of_fold` [N, 7] are probabilities."""
    blank = np.ptp(dataset.images, axis=(1, 2)) == 0
    no_face = dataset.votes.argmax(axis=1) == FERPLUS_COLUMNS.index("NF")
    has_majority, winner = majority_votes(dataset.votes)
    known = has_majority & (winner < len(FERPLUS_TO_EXPRESSION))  # contempt has no label here
    suggestion = np.take(FERPLUS_TO_EXPRESSION, np.where(known, winner, 0))
    votes_for_label = dataset.votes[
        np.arange(len(dataset)), np.argsort(FERPLUS_TO_EXPRESSION)[dataset.labels]
    ]
    # One vote of ten may be a slip, as in majority_votes; two people have seen the label.
    mislabelled = known & (suggestion != dataset.labels) & (votes_for_label <= 1)
    if out_of_fold is not None:
        mislabelled &= out_of_fold.argmax(axis=1) == suggestion

    findings = []
    for i in np.flatnonzero(blank | no_face | mislabelled):
        kind = KINDS[0] if blank[i] else KINDS[1] if no_face[i] else KINDS[2]
        label = int(dataset.labels[i])
        findings.append(
            Finding(
                index=int(i),
                row=int(dataset.rows[i]),
                split=Split(dataset.splits[i]).usage,
                label=EXPRESSIONS[label],
                kind=kind,
                suggestion=EXPRESSIONS[suggestion[i]] if kind == "mislabelled" else "",
                votes_for_label=int(votes_for_label[i]),
                votes_for_suggestion=int(dataset.votes[i].max()),
                out_of_fold=""
                if out_of_fold is None
                else EXPRESSIONS[int(out_of_fold[i].argmax())],
                out_of_fold_label_probability=-1.0
                if out_of_fold is None
                else round(float(out_of_fold[i, label]), 4),
            )
        )
    return findings


def write_findings(findings: list[Finding], path: Path) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [f.name for f in fields(Finding)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(finding) for finding in findings)


def read_findings(path: Path) -> list[Finding]:
    """Raises `AuditError` where the file isn't what `write_findings` wrote."""
    types = {field.name: field.type for field in fields(Finding)}
    try:
        with path.open(newline="") as file:
            return [
                Finding(**{name: _value(types[name], text) for name, text in line.items()})
                for line in csv.DictReader(file)
            ]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise AuditError(f"{path}: expected what training.audit wrote, found: {error!r}") from error


def _value(kind: Any, text: str) -> Any:
    return kind(text) if kind in (int, float) else text


def clean(dataset: Dataset, findings: list[Finding], how: Literal["drop", "relabel"]) -> Dataset:
    """Training images without findings, or with the raters' label; test splits stay as they are.

    An image that is no face has no right label: "relabel" drops it too. Raises `AuditError` for
    findings of another data set.
    """
    keep, labels = np.ones(len(dataset), np.bool_), dataset.labels.copy()
    for finding in findings:
        i = finding.index
        if i >= len(dataset) or EXPRESSIONS[dataset.labels[i]] != finding.label:
            raise AuditError(
                f"expected image {i} to be labelled {finding.label}: these findings are not "
                "of this data set"
            )
        if dataset.splits[i] != Split.TRAINING:
            continue
        if how == "relabel" and finding.suggestion:
            labels[i] = EXPRESSIONS.index(finding.suggestion)
        else:
            keep[i] = False
    return replace(dataset, labels=labels).take(keep)


def summary(dataset: Dataset, findings: list[Finding], folds: bool) -> dict[str, Any]:
    """Counts by kind and split, ready for JSON; `out_of_fold` says whether networks took part."""
    counts = Counter((finding.kind, finding.split) for finding in findings)
    splits = [Split(value).usage for value in np.unique(dataset.splits)]
    relabelled = Counter(
        f"{finding.label} -> {finding.suggestion}" for finding in findings if finding.suggestion
    )
    return {
        "images": len(dataset),
        "raters": bool(dataset.votes.any()),
        "out_of_fold": folds,
        "counts": {kind: {split: counts[kind, split] for split in splits} for kind in KINDS},
        "most_common": dict(relabelled.most_common(8)),
    }


def draw_findings(dataset: Dataset, findings: list[Finding], out: Path) -> None:
    """Two contact sheets: no faces, and the likeliest wrong labels."""
    no_faces = [finding for finding in findings if finding.kind != "mislabelled"]
    mislabelled = sorted(
        (finding for finding in findings if finding.kind == "mislabelled"),
        key=lambda f: (f.votes_for_label - f.votes_for_suggestion, f.out_of_fold_label_probability),
    )
    for name, chosen in (("no-faces", no_faces), ("mislabelled", mislabelled)):
        chosen = chosen[:SHEET]
        captions = [f"{f.label}\n{f.suggestion and '-> '}{f.suggestion or f.kind}" for f in chosen]
        draw_faces(dataset.images[[f.index for f in chosen]], captions, out / f"{name}.png")


def read_out_of_fold(path: Path, dataset: Dataset) -> NDArray[np.float32] | None:
    """What training.folds wrote, or None where it hasn't finished."""
    if not path.exists():
        return None
    probabilities: NDArray[np.float32] = np.load(path)["probabilities"]
    if probabilities.shape != (len(dataset), len(EXPRESSIONS)):
        raise AuditError(
            f"{path}: expected probabilities of {len(dataset)} images, found "
            f"{probabilities.shape}; run training.folds on this data set"
        )
    return probabilities


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.audit", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="what training.dataset wrote")
    parser.add_argument("--out", type=Path, required=True, help="a folder, such as runs/audit")
    parser.add_argument(
        "--folds",
        type=Path,
        default=Path("runs/audit_folds"),
        help="what training.folds wrote (default: %(default)s); votes alone where it is missing",
    )
    arguments = parser.parse_args()
    dataset = Dataset.load(arguments.data)
    out_of_fold = read_out_of_fold(arguments.folds / "out_of_fold.npz", dataset)
    findings = find(dataset, out_of_fold)
    arguments.out.mkdir(parents=True, exist_ok=True)
    write_findings(findings, arguments.out / "findings.csv")
    counts = summary(dataset, findings, out_of_fold is not None)
    (arguments.out / "audit.json").write_text(json.dumps(counts, indent=1) + "\n")
    draw_findings(dataset, findings, arguments.out)
    for kind, by_split in counts["counts"].items():
        print(f"{kind}: " + ", ".join(f"{count} in {split}" for split, count in by_split.items()))
    if out_of_fold is None:
        print(f"mislabelled is by FER+'s votes alone: {arguments.folds} holds no finished folds")


if __name__ == "__main__":
    main()
