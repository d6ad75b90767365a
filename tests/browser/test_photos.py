"""Photos: chosen, dropped, pasted; one or many; good and bad."""

import io
import re
from pathlib import Path

from PIL import Image

from tests.browser.chromium import (
    Browser,
    FilePayload,
    Locator,
    Page,
    Route,
    expect,
    opened,
    picture,
)


def choose(page: Page, *files: FilePayload) -> None:
    with page.expect_file_chooser() as chooser:
        page.locator("[data-action=choose]:visible").click()
    chooser.value.set_files(list(files))


def file(name: str, content: bytes, kind: str = "image/jpeg") -> FilePayload:
    return {"name": name, "mimeType": kind, "buffer": content}


def faces(page: Page) -> Locator:
    return page.locator(".face")


def message(page: Page) -> Locator:
    return page.locator("#message")


def test_the_example_is_one_click_away(page: Page) -> None:
    picture(page, "start")
    page.get_by_role("button", name="Try this photo").click()

    expect(faces(page).locator(".title")).to_have_text("Happy")
    expect(faces(page).locator(".bar")).to_have_count(7)
    expect(faces(page).locator(".bar.strongest .name")).to_have_text("Happy")
    expect(page.get_by_role("button", name=re.compile(r"Face 1: Happy \d+%"))).to_be_visible()
    expect(page.locator("#facts")).to_contain_text("1 face · 512 × 512 pixels")
    expect(page.locator("#facts")).to_contain_text(re.compile(r"ms in the service: decode \d"))
    expect(page.locator("#spoken")).to_have_text(re.compile(r"example.jpg: 1 face. Happy \d+%."))
    picture(page, "example")


def test_the_box_lies_over_the_face(page: Page) -> None:
    page.get_by_role("button", name="Try this photo").click()

    box = page.locator(".box").bounding_box()
    photo = page.locator("#photo").bounding_box()
    assert box
    assert photo
    x = (box["x"] + box["width"] / 2 - photo["x"]) / photo["width"]
    y = (box["y"] + box["height"] / 2 - photo["y"]) / photo["height"]
    assert 0.4 < x < 0.48  # where she is in the photo
    assert 0.2 < y < 0.28


def test_upload(page: Page, photo: bytes) -> None:
    choose(page, file("collins.jpg", photo))

    expect(faces(page)).to_have_count(1)
    expect(page.locator("#photo")).to_have_attribute("alt", "The photo collins.jpg")


def test_drop(page: Page) -> None:
    transfer = page.evaluate_handle(
        """async () => {
            const photo = await (await fetch("/static/example.jpg")).blob();
            const transfer = new DataTransfer();
            transfer.items.add(new File([photo], "dropped.jpg", { type: "image/jpeg" }));
            return transfer;
        }"""
    )
    page.dispatch_event("body", "dragover", {"dataTransfer": transfer})
    expect(page.locator("#drop")).to_be_visible()
    page.dispatch_event("body", "drop", {"dataTransfer": transfer})

    expect(page.locator("#drop")).not_to_be_visible()
    expect(faces(page)).to_have_count(1)


def test_paste(page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate(
        """async () => {
            const canvas = document.createElement("canvas");
            canvas.width = canvas.height = 512;
            canvas.getContext("2d").drawImage(document.querySelector(".example img"), 0, 0);
            const png = await new Promise((resolve) => canvas.toBlob(resolve));
            await navigator.clipboard.write([new ClipboardItem({ "image/png": png })]);
        }"""
    )
    page.keyboard.press("Control+V")

    expect(faces(page)).to_have_count(1)


def test_paste_of_something_else(page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate("() => navigator.clipboard.writeText('no picture')")
    page.keyboard.press("Control+V")

    expect(page.locator("#status")).to_contain_text("There is no picture on the clipboard.")
    page.get_by_role("button", name="Dismiss").click()
    expect(page.locator("#status p")).to_be_empty()


def test_gallery(page: Page, photo: bytes, faceless: bytes) -> None:
    choose(
        page,
        file("collins.jpg", photo),
        file("nobody.jpg", faceless),
        file("letter.txt", b"Dear Sir", "text/plain"),
        file("again.jpg", photo),
    )
    strip = page.get_by_role("list", name="Your photos")

    expect(strip.get_by_role("button", name="done")).to_have_count(3)
    expect(strip.get_by_role("button", name="letter.txt, no result")).to_be_visible()
    expect(strip.get_by_role("button", name="collins.jpg")).to_have_attribute(
        "aria-current", "true"
    )
    expect(faces(page)).to_have_count(1)
    picture(page, "gallery")

    strip.get_by_role("button", name="collins.jpg").press("ArrowRight")
    expect(strip.get_by_role("button", name="nobody.jpg")).to_be_focused()
    expect(message(page)).to_contain_text("No face found")
    expect(faces(page)).to_have_count(0)

    strip.get_by_role("button", name="letter.txt").click()
    expect(message(page)).to_contain_text("This file is not a picture that can be read.")

    page.get_by_role("button", name="Clear all").click()
    expect(page.get_by_role("heading", name="What a face shows")).to_be_visible()


def test_what_was_cleared_holds_up_nobody(page: Page, photo: bytes) -> None:
    page.evaluate("() => { window.read = createImageBitmap; }")
    page.evaluate("() => { window.createImageBitmap = () => new Promise(() => {}); }")
    choose(page, *(file(f"{name}.gif", photo, "image/gif") for name in ("one", "other")))
    expect(page.get_by_role("button", name="being analysed")).to_have_count(2)
    page.evaluate("() => { window.createImageBitmap = window.read; }")

    page.get_by_role("button", name="Clear all").click()
    choose(page, file("collins.jpg", photo))
    expect(faces(page)).to_have_count(1)


def test_a_damaged_picture(browser: Browser, service: str) -> None:
    with opened(browser, service, refusals=True) as page:
        choose(page, file("damaged.jpg", b"\xff\xd8\xff and no more"))

        expect(message(page)).to_contain_text("This picture is damaged, or not a picture at all.")


def test_a_kind_of_picture_that_the_service_does_not_take(page: Page, photo: bytes) -> None:
    gif = io.BytesIO()
    Image.open(io.BytesIO(photo)).save(gif, "GIF")
    choose(page, file("collins.gif", gif.getvalue(), "image/gif"))

    expect(faces(page)).to_have_count(1)
    expect(page.locator("#facts")).to_contain_text("turned into a JPEG before it was sent")


def test_a_photo_above_the_limit_is_sent_smaller(
    browser: Browser, strict_service: str, photo: bytes
) -> None:
    large = io.BytesIO()
    Image.open(io.BytesIO(photo)).resize((2000, 2000)).save(large, "JPEG", quality=95)
    with opened(browser, strict_service, refusals=True) as page:
        choose(page, file("large.jpg", large.getvalue()))

        expect(faces(page)).to_have_count(1)
        expect(page.locator("#facts")).to_contain_text("was sent at 1024 × 1024 pixels")


def test_several_faces(page: Page, photo: bytes) -> None:
    row = Image.new("RGB", (2048, 512))
    for index in range(4):
        row.paste(Image.open(io.BytesIO(photo)), (512 * index, 0))
    four = io.BytesIO()
    row.save(four, "PNG")
    choose(page, file("four.png", four.getvalue(), "image/png"))

    expect(faces(page)).to_have_count(4)
    expect(page.locator(".face[open]")).to_have_count(1)
    page.locator(".box").nth(2).click()
    expect(faces(page).nth(2).locator(".bar").first).to_be_visible()
    expect(faces(page).nth(2)).to_have_class(re.compile("marked"))
    picture(page, "several-faces")


def test_an_unsure_answer_is_called_that(page: Page) -> None:
    def doubt(route: Route) -> None:
        answer = route.fetch()
        prediction = answer.json()
        prediction["faces"][0]["uncertain"] = True
        route.fulfill(response=answer, json=prediction)

    # The photo that the model is unsure about today, it may know tomorrow.
    page.route("**/predict", doubt)
    page.get_by_role("button", name="Try this photo").click()

    expect(faces(page).locator(".title")).to_have_text("Not sure")
    expect(faces(page).locator(".share")).to_have_text(re.compile(r"^closest: happy, \d\d%$"))
    expect(page.locator(".box")).to_have_text("Not sure")
    picture(page, "unsure")


def test_a_photo_of_a_camera_that_was_held_upright(page: Page, photo: bytes) -> None:
    lying = io.BytesIO()
    image = Image.open(io.BytesIO(photo)).crop((0, 0, 512, 384)).rotate(90, expand=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(lying, "JPEG", exif=exif)
    choose(page, file("upright.jpg", lying.getvalue()))

    expect(page.locator("#facts")).to_contain_text("512 × 384 pixels")
    expect(faces(page).locator(".title")).to_have_text("Happy")


def test_the_example_is_the_photo_of_the_tests(photo: bytes) -> None:
    static = Path(__file__).parent.parent.parent / "service" / "static"
    assert (static / "example.jpg").read_bytes() == photo
