from pathlib import Path

import pytest

from training.config import ConfigError, load_config
from training.systems import build_system, count_macs

CONFIGS = sorted((Path(__file__).parents[2] / "training" / "configs").glob("[!_]*.py"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_config_says_its_command_and_builds(path: Path) -> None:
    config = load_config(path)
    verb = "folds" if path.stem == "audit_fold" else "train"
    assert f"python -m training.{verb} training/configs/{path.name}" in path.read_text()
    assert count_macs(build_system(config)) > 0


@pytest.mark.parametrize(
    ("text", "found"),
    [("config = 3\n", "found 3"), ("", "found None")],
)
def test_a_file_without_a_config_is_refused(tmp_path: Path, text: str, found: str) -> None:
    path = tmp_path / "other.py"
    path.write_text(text)
    with pytest.raises(ConfigError, match=found):
        load_config(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected a Python file"):
        load_config(tmp_path / "none.py")
