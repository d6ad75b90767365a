"""What is downloaded says what the page shows."""

import csv
import io
import json
from pathlib import Path

from tests.browser.chromium import FilePayload, Page, expect


def download(page: Page, button: str) -> tuple[str, str]:
    with page.expect_download() as started:
        page.get_by_role("button", name=button).click()
    return started.value.suggested_filename, Path(started.value.path()).read_bytes().decode()


def analyse(page: Page, photo: bytes, faceless: bytes) -> None:
    files: list[FilePayload] = [
        {"name": '=cmd,"x".jpg', "mimeType": "image/jpeg", "buffer": photo},
        {"name": "nobody.jpg", "mimeType": "image/jpeg", "buffer": faceless},
        {"name": "letter.txt", "mimeType": "text/plain", "buffer": b"Dear Sir"},
    ]
    page.set_input_files("#files", files)
    expect(page.locator(".gallery [data-state=done]")).to_have_count(2)
    expect(page.locator(".gallery [data-state=failed]")).to_have_count(1)


def test_json(page: Page, photo: bytes, faceless: bytes) -> None:
    analyse(page, photo, faceless)
    name, text = download(page, "Download JSON")
    first, nobody, failed = json.loads(text)

    assert name == "mien.json"
    assert first["file"] == '=cmd,"x".jpg'
    assert first["faces"][0]["dominant_emotion"] == "happy"
    assert first["image"] == {"width": 512, "height": 512}
    assert nobody["faces"] == []
    assert failed == {"file": "letter.txt", "problem": "not_an_image"}


def test_csv(page: Page, photo: bytes, faceless: bytes) -> None:
    analyse(page, photo, faceless)
    name, text = download(page, "Download CSV")
    first, nobody, failed = csv.DictReader(io.StringIO(text, newline=""))

    assert name == "mien.csv"
    assert first["file"] == '\'=cmd,"x".jpg'  # no formula for a spreadsheet
    assert first["dominant_emotion"] == "happy"
    labels = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
    assert abs(sum(float(first[label]) for label in labels) - 1) < 1e-3
    assert float(first["happy"]) == float(first["confidence"])
    assert first["uncertain"] == "false"
    assert float(first["x"]) + float(first["w"]) < 512
    assert (nobody["file"], nobody["face"], nobody["problem"]) == ("nobody.jpg", "", "")
    assert (failed["face"], failed["problem"]) == ("", "not_an_image")
