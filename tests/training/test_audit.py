"""The audit finds what was spoilt on purpose, and cleaning touches Training alone."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from training.audit import (
    AuditError,
    clean,
    draw_findings,
    find,
    read_findings,
    read_out_of_fold,
    summary,
    write_findings,
)
from training.dataset import Dataset, Split
from training.labels import EXPRESSIONS

BLANK, NO_FACE, WRONG, WRONG_IN_TEST = 0, 1, 2, 8


@pytest.fixture
def spoilt(dataset: Dataset) -> Dataset:
    """Rows 0-6 are of Training, 7-13 of PublicTest; row k shows expression k % 7."""
    images, votes, labels = dataset.images.copy(), dataset.votes.copy(), dataset.labels.copy()
    images[BLANK] = 77
    votes[NO_FACE] = [0, 0, 0, 0, 0, 1, 0, 0, 0, 9]
    labels[WRONG] = labels[WRONG_IN_TEST] = EXPRESSIONS.index("happy")
    return replace(dataset, images=images, votes=votes, labels=labels)


def test_what_was_spoilt_is_found_and_nothing_else(spoilt: Dataset) -> None:
    findings = find(spoilt)
    assert [(f.index, f.kind, f.label, f.suggestion) for f in findings] == [
        (BLANK, "blank", "angry", ""),
        (NO_FACE, "not a face", "disgust", ""),
        (WRONG, "mislabelled", "happy", "fear"),
        (WRONG_IN_TEST, "mislabelled", "happy", "disgust"),
    ]
    assert [f.split for f in findings] == ["Training"] * 3 + ["PublicTest"]
    assert (findings[2].votes_for_label, findings[2].votes_for_suggestion) == (0, 10)


def test_a_majority_for_contempt_is_no_wrong_label(dataset: Dataset) -> None:
    votes = dataset.votes.copy()
    votes[0] = [0, 0, 0, 0, 0, 0, 0, 10, 0, 0]
    assert find(replace(dataset, votes=votes)) == []


def test_a_label_that_two_raters_saw_is_no_wrong_label(spoilt: Dataset) -> None:
    """Row 2 shows fear and is labelled happy: FER+'s second column."""
    votes = spoilt.votes.copy()
    votes[WRONG] = [0, 1, 0, 0, 0, 0, 9, 0, 0, 0]
    assert WRONG in [f.index for f in find(replace(spoilt, votes=votes))]
    votes[WRONG] = [0, 2, 0, 0, 0, 0, 8, 0, 0, 0]
    assert WRONG not in [f.index for f in find(replace(spoilt, votes=votes))]


def test_a_network_must_agree_with_the_raters(spoilt: Dataset) -> None:
    said = np.eye(7, dtype=np.float32)[spoilt.labels]
    assert [f.index for f in find(spoilt, said)] == [BLANK, NO_FACE]
    said[WRONG] = np.eye(7)[EXPRESSIONS.index("fear")]
    (finding,) = (f for f in find(spoilt, said) if f.kind == "mislabelled")
    assert (finding.index, finding.out_of_fold) == (WRONG, "fear")
    assert finding.out_of_fold_label_probability == 0


def test_findings_are_read_as_they_were_written(spoilt: Dataset, tmp_path: Path) -> None:
    findings = find(spoilt)
    write_findings(findings, tmp_path / "findings.csv")
    assert read_findings(tmp_path / "findings.csv") == findings


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "findings.csv").write_text("row,emotion\n3,happy\n")
    with pytest.raises(AuditError, match="expected what training"):
        read_findings(tmp_path / "findings.csv")


def test_dropping_leaves_the_test_splits_whole(spoilt: Dataset) -> None:
    cleaned = clean(spoilt, find(spoilt), "drop")
    assert len(cleaned) == len(spoilt) - 3
    for split in (Split.PUBLIC_TEST, Split.PRIVATE_TEST):
        before, after = spoilt.split(split), cleaned.split(split)
        np.testing.assert_array_equal(after.labels, before.labels)


def test_relabelling_takes_the_raters_word_and_drops_no_faces(spoilt: Dataset) -> None:
    cleaned = clean(spoilt, find(spoilt), "relabel")
    assert cleaned.rows[0] == WRONG
    assert EXPRESSIONS[cleaned.labels[0]] == "fear"
    assert len(cleaned) == len(spoilt) - 2


def test_findings_of_another_data_set_are_refused(spoilt: Dataset, dataset: Dataset) -> None:
    with pytest.raises(AuditError, match="not of this data set"):
        clean(dataset, find(spoilt), "drop")


def test_the_summary_counts_by_kind_and_split(spoilt: Dataset) -> None:
    counts = summary(spoilt, find(spoilt), folds=False)
    assert counts["counts"]["mislabelled"] == {"Training": 1, "PublicTest": 1, "PrivateTest": 0}
    assert counts["most_common"] == {"happy -> fear": 1, "happy -> disgust": 1}
    assert (counts["raters"], counts["out_of_fold"]) == (True, False)


def test_contact_sheets_are_drawn(spoilt: Dataset, tmp_path: Path) -> None:
    draw_findings(spoilt, find(spoilt), tmp_path)
    for name in ("no-faces", "mislabelled"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_folds_of_another_data_set_are_refused(dataset: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "out_of_fold.npz"
    assert read_out_of_fold(path, dataset) is None
    np.savez(path, probabilities=np.zeros((3, 7), np.float32))
    with pytest.raises(AuditError, match="expected probabilities of 168 images"):
        read_out_of_fold(path, dataset)
