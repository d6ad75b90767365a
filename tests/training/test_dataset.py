import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.test_sources import (
    FORMS,
    csv_text,
    ferplus_text,
    image_files,
    samples,
    write_folder,
    write_text,
)
from training.dataset import PUBLISHED, Dataset, DatasetError, Split, build, describe, main
from training.sources import Samples

__all__ = ["samples"]  # the fixture

FER2013 = os.environ.get("MIEN_FER2013", "")


@pytest.fixture
def leaky(samples: Samples) -> Samples:
    """Training rows 1 and 2 are the same picture as row 9 of PublicTest and 12 of PrivateTest.

    Row 4 repeats row 3 inside Training, and row 6 is blank.
    """
    images = samples.images.copy()
    images[[2, 9, 12]] = images[1]
    images[4] = images[3]
    images[6] = 0
    return replace(samples, images=images)


def same(one: Dataset, other: Dataset) -> bool:
    return all(np.array_equal(array, vars(other)[name]) for name, array in vars(one).items())


def test_training_never_sees_a_leaking_image(leaky: Samples) -> None:
    dataset = build(leaky)
    assert np.flatnonzero(dataset.leaking).tolist() == [1, 2]
    assert dataset.split(Split.TRAINING).rows.tolist() == [0, 3, 4, 5, 6, 7]
    assert dataset.split(Split.PUBLIC_TEST).rows.tolist() == [8, 9, 10]
    both = dataset.split(Split.TRAINING, Split.PRIVATE_TEST)
    assert both.rows.tolist() == [0, 3, 4, 5, 6, 7, 11, 12, 13]
    np.testing.assert_array_equal(both.images, leaky.images[both.rows])
    np.testing.assert_array_equal(both.labels, leaky.labels[both.rows])


def test_the_whole_test_set_of_a_divided_data_set(samples: Samples) -> None:
    assert build(samples).split(Split.TEST).rows.tolist() == [8, 9, 10, 11, 12, 13]


def test_an_undivided_test_set_has_no_public_test(leaky: Samples) -> None:
    splits = np.where(leaky.splits == Split.TRAINING, Split.TRAINING, Split.TEST).astype(np.uint8)
    dataset = build(replace(leaky, splits=splits))
    assert len(dataset.split(Split.TRAINING)) == 6
    assert len(dataset.split(Split.TEST)) == 6
    with pytest.raises(DatasetError, match="images of PublicTest, found only Training, Test"):
        dataset.split(Split.PUBLIC_TEST)


def test_take_keeps_the_order_that_is_asked_for(samples: Samples) -> None:
    taken = build(samples).take(np.array([5, 2]))
    assert taken.rows.tolist() == [5, 2]
    np.testing.assert_array_equal(taken.images, samples.images[[5, 2]])


def test_save_and_load(tmp_path: Path, leaky: Samples) -> None:
    dataset = build(leaky, write_text(tmp_path / "votes.csv", ferplus_text(leaky)))
    dataset.save(tmp_path / "data.npz")
    assert same(Dataset.load(tmp_path / "data.npz"), dataset)


def test_the_same_data_gives_the_same_bytes(tmp_path: Path, samples: Samples) -> None:
    build(samples).save(tmp_path / "one.npz")
    build(replace(samples, images=samples.images.copy())).save(tmp_path / "other.npz")
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "other.npz").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.npz") as archive:
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_a_failed_save_leaves_nothing(tmp_path: Path, samples: Samples) -> None:
    (tmp_path / "data.npz").mkdir()
    with pytest.raises(OSError, match="directory"):
        build(samples).save(tmp_path / "data.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["data.npz"]


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("images", np.zeros((14, 48, 47), np.uint8), r"uint8 \(14, 48, 48\), found .* 47\)"),
        ("images", np.zeros((14, 48, 48), np.float32), r"uint8 .*, found float32"),
        ("labels", np.zeros(13, np.uint8), r"labels: expected uint8 \(14,\), found uint8 \(13,\)"),
        ("labels", np.full(14, 7, np.uint8), "labels: expected 0 to 6, found 7 to 7"),
        ("splits", np.full(14, 4, np.uint8), "splits: expected 0 to 3, found 4 to 4"),
        ("rows", np.full(14, -2, np.int32), "rows: expected -1 to .*, found -2 to -2"),
        ("votes", np.zeros((14, 8), np.uint8), r"votes: expected uint8 \(14, 10\), found"),
        ("votes", np.full((14, 10), 11, np.uint8), "votes: expected 0 to 10, found 11 to 11"),
        ("leaking", np.zeros(14, np.uint8), "leaking: expected bool"),
    ],
)
def test_wrong_arrays(
    name: str, array: np.ndarray, message: str, tmp_path: Path, samples: Samples
) -> None:
    path = tmp_path / "data.npz"
    np.savez(path, **{**vars(build(samples)), name: array})
    with pytest.raises(DatasetError, match=message):
        Dataset.load(path)


def test_wrong_npz(tmp_path: Path, samples: Samples) -> None:
    path = tmp_path / "data.npz"
    with pytest.raises(DatasetError, match="No such file"):
        Dataset.load(path)
    path.write_text("Dear diary")
    with pytest.raises(DatasetError, match="found no zip archive"):
        Dataset.load(path)
    np.savez(path, images=samples.images)
    with pytest.raises(DatasetError, match=r"expected arrays \['images', 'labels', .*, found"):
        Dataset.load(path)
    build(samples).save(path)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(DatasetError, match="found no zip archive"):
        Dataset.load(path)


def test_ferplus_must_be_of_the_same_data(tmp_path: Path, samples: Samples) -> None:
    text = ferplus_text(samples)
    short = write_text(tmp_path / "short.csv", "\n".join(text.splitlines()[:-1]))
    with pytest.raises(DatasetError, match=r"votes for 14 images, rows 0 to 13; found .* 0 to 12"):
        build(samples, short)
    other = write_text(tmp_path / "other.csv", text.replace("PublicTest", "PrivateTest"))
    with pytest.raises(DatasetError, match=r"row 8: expected Usage PublicTest, .* PrivateTest"):
        build(samples, other)
    unknown = replace(samples, rows=np.full(14, -1, np.int32))
    with pytest.raises(DatasetError, match="found images of unknown rows"):
        build(unknown, write_text(tmp_path / "fer2013new.csv", text))


def test_describe_counts_what_is_odd(tmp_path: Path, leaky: Samples) -> None:
    votes = write_text(tmp_path / "fer2013new.csv", ferplus_text(leaky))
    lines = [" ".join(line.split()) for line in describe(build(leaky, votes)).splitlines()]
    assert "Images (14, 48, 48), uint8, 0 to 255; rows 0 to 13" in lines
    assert "Training 1 1 1 2 1 1 1 8 DIFFERS FROM" in lines
    assert "published 3,995 436 4,097 7,215 4,830 3,171 4,965 28,709" in lines
    assert "4 images repeat the exact pixels of an earlier one" in lines
    assert "2 inside Training" in lines
    assert "0 inside PublicTest" in lines
    assert "1 pictures in both Training and PublicTest" in lines
    assert "1 pictures in both PublicTest and PrivateTest" in lines
    assert "2 pictures with more than one label" in lines
    assert any(line.startswith("2 Training images leak") for line in lines)
    assert "1 blank images, of one value throughout" in lines
    assert "1 images are no face, in the raters' eyes (FER+)" in lines


def test_describe_knows_the_published_counts() -> None:
    splits = [split for split in PUBLISHED if split is not Split.TEST]
    labels = np.concatenate([np.repeat(np.arange(7), PUBLISHED[split]) for split in splits])
    n = len(labels)
    dataset = Dataset(
        images=np.zeros((n, 48, 48), np.uint8),
        labels=labels.astype(np.uint8),
        splits=np.repeat(splits, [sum(PUBLISHED[split]) for split in splits]).astype(np.uint8),
        rows=np.full(n, -1, np.int32),
        votes=np.zeros((n, 10), np.uint8),
        leaking=np.zeros(n, np.bool_),
    )
    divided = describe(dataset)
    tests = dataset.splits != Split.TRAINING
    undivided = describe(replace(dataset, splits=np.where(tests, np.uint8(3), np.uint8(0))))
    assert divided.count("as published") == 3
    assert undivided.count("as published") == 2
    assert "DIFFERS" not in divided + undivided
    assert "rows unknown" in divided


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_npz(form: str, tmp_path: Path, samples: Samples) -> None:
    expected = tmp_path / "expected.npz"
    build(samples).save(expected)
    source = tmp_path / "source"
    source.mkdir()
    assert main([str(FORMS[form](source, samples)), "--out", str(tmp_path / "data.npz")]) == 0
    assert (tmp_path / "data.npz").read_bytes() == expected.read_bytes()


def test_command(tmp_path: Path, leaky: Samples, capsys: pytest.CaptureFixture[str]) -> None:
    csv = write_text(tmp_path / "fer2013.csv", csv_text(leaky))
    votes = write_text(tmp_path / "fer2013new.csv", ferplus_text(leaky))
    out = tmp_path / "new" / "fer.npz"
    assert main([str(csv), "--ferplus", str(votes), "--out", str(out)]) == 0
    assert same(Dataset.load(out), build(leaky, votes))
    assert "2 Training images leak" in capsys.readouterr().out
    assert out.with_name("fer.leaking.csv").read_text().splitlines() == [
        "training_index,training_row,test_split,test_index,test_row",
        "1,1,PublicTest,9,9",
        "1,1,PrivateTest,12,12",
        "2,2,PublicTest,9,9",
        "2,2,PrivateTest,12,12",
    ]
    assert len(list(out.parent.iterdir())) == 2


def test_command_says_that_the_test_set_is_undivided(
    tmp_path: Path, samples: Samples, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_folder(tmp_path / "fer", image_files(samples, ".png", "{row}"))
    out = tmp_path / "fer.npz"
    assert main([str(folder), "--out", str(out)]) == 0
    assert "test/ is kept as one undivided test split" in capsys.readouterr().out
    assert len(Dataset.load(out).split(Split.TEST)) == 6
    votes = write_text(tmp_path / "fer2013new.csv", ferplus_text(samples))
    assert main([str(folder), "--ferplus", str(votes), "--out", str(tmp_path / "no.npz")]) == 2
    assert "Leave --ferplus out" in capsys.readouterr().err
    assert not (tmp_path / "no.npz").exists()


def test_command_with_a_wrong_file(tmp_path: Path) -> None:
    letter = write_text(tmp_path / "letter.txt", "Dear diary")
    command = [sys.executable, "-m", "training.dataset", str(letter), "--out", "fer.npz"]
    root = Path(__file__).parents[2]
    run = subprocess.run(
        command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(root)}, capture_output=True
    )
    assert run.returncode == 2
    assert run.stdout == b""
    assert run.stderr.decode().splitlines() == [
        f"python -m training.dataset: error: {letter}: "
        "expected the columns emotion, pixels, Usage, found ['Dear diary']"
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


@pytest.mark.skipif(not FER2013, reason="MIEN_FER2013 does not name the data set")
def test_the_real_data(tmp_path: Path) -> None:
    ferplus = os.environ.get("MIEN_FERPLUS", Path(FER2013).with_name("fer2013new.csv"))
    out, again, csv = tmp_path / "fer.npz", tmp_path / "again.npz", tmp_path / "fer2013.csv"
    assert main([FER2013, "--ferplus", str(ferplus), "--out", str(out)]) == 0
    dataset = Dataset.load(out)
    for split, counts in PUBLISHED.items():
        labels = dataset.labels[np.isin(dataset.splits, split)]
        assert split is Split.TEST or tuple(np.bincount(labels)) == counts
    assert tuple(np.bincount(dataset.split(Split.TEST).labels)) == PUBLISHED[Split.TEST]
    assert dataset.rows.tolist() == list(range(35_887))
    assert "DIFFERS" not in describe(dataset)
    # FER+'s raters saw no face in any blank image, which they would if the votes had slipped.
    blank = np.ptp(dataset.images, axis=(1, 2)) == 0
    assert (dataset.votes[blank, -1] == 10).all()
    csv.write_text(csv_text(Samples(dataset.images, dataset.labels, dataset.splits, dataset.rows)))
    assert main([str(csv), "--ferplus", str(ferplus), "--out", str(again)]) == 0
    assert again.read_bytes() == out.read_bytes()
    for path in (out, again, csv):  # pytest keeps its folders, and these are half a gigabyte
        path.unlink()
