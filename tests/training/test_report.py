"""The report as a whole: written from results files, honest about what is missing."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.training.conftest import make_dataset
from tests.training.test_sources import csv_text, ferplus_text, write_text
from training.dataset import Dataset, Split
from training.page import render
from training.published import SYSTEMS, VARIANTS
from training.report import newest_release, report
from training.sources import Samples

ROOT = Path(__file__).parents[2]
CHARTS = (
    "class-distribution", "class-weights", "architecture", "curves", "confusion", "literature",
)  # fmt: skip


@pytest.fixture(scope="module")
def written(compared: Path, dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out: Path = tmp_path_factory.mktemp("docs") / "report"
    report(dataset, compared / "runs", compared / "release", out)
    return out


def test_the_page_comes_from_results_json_alone(written: Path) -> None:
    results = json.loads((written / "results.json").read_text())
    assert (written / "README.md").read_text() == render(results)


def test_scores_stand_beside_the_published_ones(written: Path, compared: Path) -> None:
    page = (written / "README.md").read_text()
    path = compared / "runs" / "paper_proposed" / "model" / "metrics.json"
    splits = json.loads(path.read_text())["splits"]
    private, public = (f"{100 * splits[s]['accuracy']:.2f}" for s in ("PrivateTest", "PublicTest"))
    assert f"| proposed | 70.13 | {private} | {public} |" in page


def test_what_is_not_trained_is_said_to_be_so(written: Path) -> None:
    page = (written / "README.md").read_text()
    assert "**2 of 8 systems are trained so far.**" in page
    assert "| VGGNet | 73.28 | not trained |" in page
    assert "| oversampling | not trained |" in page
    assert "training.audit` has not run" in page
    assert "it needs `--url` of a running service" in page


def test_every_chart_is_drawn_and_linked(written: Path) -> None:
    page = (written / "README.md").read_text()
    for chart in CHARTS:
        assert f"({chart}.svg)" in page
        assert "<svg" in (written / f"{chart}.svg").read_text()


def test_faces_are_drawn_where_git_does_not_look(written: Path) -> None:
    pictures = sorted(path.stem for path in (written / "pictures").iterdir())
    assert pictures == ["augmentations", "grad-cam", "samples"]
    assert not list(written.glob("*.png"))
    ignored = ["git", "check-ignore", "--quiet", "docs/report/pictures/samples.png"]
    assert subprocess.run(ignored, cwd=ROOT).returncode == 0


def test_a_report_without_the_runs_keeps_what_one_with_them_found(
    written: Path, compared: Path, dataset: Dataset, tmp_path: Path
) -> None:
    """As on a fresh machine: the page stays whole, and says what it did not measure itself."""
    found = json.loads((written / "results.json").read_text())
    found["audit"] = {
        "raters": False,
        "out_of_fold": False,
        "counts": {"blank": {"Training": 1}},
        "most_common": {},
    }
    found["cleaning"]["dropped"] = found["cleaning"]["as it is"]
    (tmp_path / "results.json").write_text(json.dumps(found))
    report(dataset, tmp_path / "no-runs", compared / "release", tmp_path)
    kept = json.loads((tmp_path / "results.json").read_text())
    assert kept["audit"] == found["audit"]
    for part in ("balancing", "cleaning"):
        for name, figures in found[part].items():
            assert kept[part][name] == (figures and figures | {"earlier": True})
    page = (tmp_path / "README.md").read_text()
    assert "accuracies of proposed are those that an earlier report" in page.replace("\n", " ")
    assert "As an earlier report measured: as it is, dropped." in page


def test_a_rehearsal_replaces_no_report(written: Path, tmp_path: Path) -> None:
    results, data = (written / "results.json").read_bytes(), tmp_path / "data.npz"
    make_dataset().save(data)
    command = ["training.report", "--data", str(data), "--out", str(written), "--smoke"]
    answer = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True
    )
    assert answer.returncode == 2
    assert "has a report, which a rehearsal would replace" in answer.stderr
    assert (written / "results.json").read_bytes() == results


def test_an_earlier_rehearsal_is_not_kept(
    written: Path, compared: Path, dataset: Dataset, tmp_path: Path
) -> None:
    found = json.loads((written / "results.json").read_text())
    (tmp_path / "results.json").write_text(json.dumps(found | {"rehearsal": True}))
    report(dataset, tmp_path / "no-runs", compared / "release", tmp_path)
    assert json.loads((tmp_path / "results.json").read_text())["systems"]["proposed"] is None


def test_the_newest_release_is_taken(tmp_path: Path) -> None:
    for version in ("0.9.0", "0.10.0"):
        (tmp_path / f"expression-{version}").mkdir()
        (tmp_path / f"expression-{version}" / "config.json").write_text("{}")
    assert newest_release(tmp_path).name == "expression-0.10.0"
    with pytest.raises(FileNotFoundError, match="writes it"):
        newest_release(tmp_path / "none")


def test_classes_are_counted_in_the_whole_data_set(written: Path, dataset: Dataset) -> None:
    counts = json.loads((written / "results.json").read_text())["data"]["counts"]
    assert sum(sum(by_class.values()) for by_class in counts.values()) == len(dataset)
    assert counts["PrivateTest"]["happy"] == 8


def test_the_services_answers_stand_on_the_page(written: Path) -> None:
    results = json.loads((written / "results.json").read_text())
    results["deployment"] = [{"index": 3, "label": "fear", "said": "sad", "confidence": 0.4321}]
    assert "| fear | sad | 0.43 |" in render(results)


def test_the_whole_of_it_on_a_made_up_data_set(tmp_path: Path) -> None:
    """From the files that people download to the page, by the commands that the docs name."""
    made = make_dataset(per_class=100)
    tenth = np.arange(len(made)) // 7 % 10
    splits = np.select([tenth == 8, tenth == 9], [Split.PUBLIC_TEST, Split.PRIVATE_TEST])
    samples = Samples(made.images, made.labels, splits.astype(np.uint8), made.rows)
    csv = write_text(tmp_path / "fer2013.csv", csv_text(samples))
    votes = write_text(tmp_path / "fer2013new.csv", ferplus_text(samples))
    data, out = tmp_path / "fer2013.npz", tmp_path / "report"
    for command in (
        ("training.dataset", csv, "--ferplus", votes, "--out", data),
        ("training.report", "--data", data, "--out", out, "--smoke"),
    ):
        subprocess.run([sys.executable, "-m", *map(str, command)], cwd=ROOT, check=True)

    results = json.loads((out / "results.json").read_text())
    page = (out / "README.md").read_text()
    assert page == render(results)
    assert f"**All {len(SYSTEMS)} systems are trained.**" in page
    assert "This is a rehearsal on 700 images" in page
    assert all(None not in results[table].values() for table in VARIANTS)
    assert results["audit"]["out_of_fold"]
    assert results["audit"]["counts"]["not a face"]["Training"] > 0
    assert all((out / f"{chart}.svg").exists() for chart in CHARTS)
    pictures = {path.stem for path in (out / "pictures").iterdir()}
    assert pictures == {"augmentations", "grad-cam", "mislabelled", "no-faces", "samples"}
