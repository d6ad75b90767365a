import pytest

from service.accept import prefers

PNG, JSON = "image/png", "application/json"


@pytest.mark.parametrize(
    "accept",
    [
        "image/png",
        "IMAGE/PNG",
        "image/*",
        "image/png, application/json;q=0.9",
        "application/json; q=0.1, image/*;q=0.2",
        "image/png;q=0.001",
        "*/*;q=0.5, image/png",
        # What browsers send for the source of an <img>.
        "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8",
    ],
)
def test_who_asks_for_a_picture_first_gets_one(accept: str) -> None:
    assert prefers(accept, PNG, JSON)


@pytest.mark.parametrize(
    "accept",
    [
        *("", "*/*", "application/json", "text/html", "image/jpeg"),
        "image/png, application/json",
        "image/png;q=0.5, application/json;q=0.9",
        "image/*, image/png;q=0, */*;q=0.5",  # the more specific counts
        "image/png;q=0",
        *("image/png;q=much", "image/png;q=", ";;,,;q"),
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    ],
)
def test_everyone_else_gets_json(accept: str) -> None:
    assert not prefers(accept, PNG, JSON)
