from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from service.pages import STATIC, Files


def client_of(directory: Path) -> TestClient:
    app = Starlette()
    app.mount("/static", Files(directory))
    return TestClient(app)


def test_every_file_is_served() -> None:
    client = client_of(STATIC)
    files = [file.relative_to(STATIC) for file in STATIC.rglob("*") if file.is_file()]

    assert len(files) > 15
    for file in files:
        answer = client.get(f"/static/{file}")
        assert (answer.status_code, answer.content) == (200, (STATIC / file).read_bytes()), file


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory with a file and a folder, and a secret beside it."""
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "files" / "folder").mkdir(parents=True)
    (tmp_path / "files" / "a.txt").write_text("a")
    (tmp_path / "files" / "folder" / "b.txt").write_text("b")
    return tmp_path / "files"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "folder",
        "folder/",
        "nowhere.txt",
        "../secret.txt",
        "..%2fsecret.txt",
        "%2e%2e/secret.txt",
        "folder/..%2f..%2fsecret.txt",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "a.txt%00.png",
        "a" * 5000,
        "%ff%fe",
        "C:%5cwindows",
    ],
)
def test_no_other_name_is_a_file(directory: Path, path: str) -> None:
    client = client_of(directory)

    assert client.get("/static/folder/b.txt").text == "b"
    assert client.get(f"/static/{path}").status_code == 404


def test_what_was_not_there_at_the_start_is_not_served(directory: Path) -> None:
    client = client_of(directory)
    (directory / "late.txt").write_text("late")
    (directory / "link.txt").symlink_to(directory.parent / "secret.txt")

    assert client.get("/static/late.txt").status_code == 404
    assert client.get("/static/link.txt").status_code == 404
