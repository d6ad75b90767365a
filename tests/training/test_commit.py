import subprocess
from pathlib import Path

import pytest

from training.commit import commit


def git(*arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    command = ["git", *identity, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_only_changes_of_what_is_named_make_it_dirty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    git("init", "--quiet")
    for name in ("code.py", "notes.md"):
        (tmp_path / name).write_text("first")
    git("add", ".")
    git("commit", "--quiet", "--message=first")
    head = git("rev-parse", "HEAD")

    assert commit("code.py") == head
    (tmp_path / "notes.md").write_text("second")
    assert commit("code.py") == head
    (tmp_path / "code.py").write_text("second")
    assert commit("code.py") == f"{head}-dirty"
