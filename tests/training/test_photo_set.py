from pathlib import Path

import numpy as np
import pytest

from training import photo_set
from training.found import Found
from training.photo_set import choose, main, open_photo_set, own_folder
from training.pixel_store import FILE
from training.teacher import Look


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sides at which a teacher that sees nothing was asked."""
    sides: list[int] = []

    def teacher() -> Look:
        def look(photo: object, side: int, threshold: float) -> Found:
            sides.append(side)
            return Found.none()

        return look

    monkeypatch.setattr(photo_set, "centerface", teacher)
    return sides


def test_a_set_is_labelled_decoded_and_split_once(
    photos_dir: Path, tmp_path: Path, looks: list[int]
) -> None:
    photos = open_photo_set(photos_dir, tmp_path)
    count = len(photos.labelled)
    assert len(looks) == 4 * count
    assert sorted(photos.training + photos.held_back) == list(range(count))
    for row, labelled in enumerate(photos.labelled):
        assert photos.store[row].shape == (labelled.height, labelled.width, 3)
    assert photos.store[0].any()
    written = (tmp_path / FILE).stat().st_mtime_ns
    again = open_photo_set(photos_dir, tmp_path)
    assert len(looks) == 4 * count
    assert (tmp_path / FILE).stat().st_mtime_ns == written
    assert again.held_back == photos.held_back
    np.testing.assert_array_equal(again.store[1], photos.store[1])


def test_a_rehearsal_takes_a_few_from_all_of_the_set(photos_dir: Path, tmp_path: Path) -> None:
    whole, folder = choose(photos_dir, tmp_path / "labels", smoke=False)
    few, beside = choose(photos_dir, tmp_path / "labels", smoke=True)
    assert (folder.name, beside.name) == ("labels", "labels-smoke")
    assert set(few.names) <= set(whole.names)
    assert few.names[0] == whole.names[0]
    assert few.names[-1] == whole.names[-1]


def test_each_set_has_a_folder_of_its_own_for_its_labels(photos_dir: Path) -> None:
    _, folder = choose(photos_dir, None, smoke=False)
    assert folder.is_relative_to(photo_set.FOLDER)
    beside = [photos_dir.with_name(f"2025.{number}") for number in (1, 2)]
    assert len({folder, *map(own_folder, [*beside, Path("/other") / photos_dir.name])}) == 4


def test_labelling_draws_a_sheet(
    photos_dir: Path, tmp_path: Path, looks: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    main(["--photos", str(photos_dir), "--labels", str(tmp_path)])
    assert (tmp_path / "sheet.jpg").stat().st_size > 1000
    assert "0 faces" in capsys.readouterr().out
    assert looks
