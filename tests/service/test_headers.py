from service.headers import secured


def test_every_answer_has_them() -> None:
    assert dict(secured([(b"content-type", b"application/json")])) == {
        b"content-type": b"application/json",
        b"x-content-type-options": b"nosniff",
        b"cross-origin-resource-policy": b"same-origin",
        b"referrer-policy": b"no-referrer",
        b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
        b"cache-control": b"no-store",
    }


def test_a_page_has_its_own() -> None:
    own = [(b"content-security-policy", b"default-src 'self'"), (b"cache-control", b"no-cache")]

    headers = secured(own)

    assert headers[:2] == own
    assert len(dict(headers)) == len(headers)
