"""Requests that offer another protocol, read by a server that has none."""

import httptools
import pytest

from service.offers import Parser

OFFER = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
LENGTH = b"Content-Length: 5\r\n\r\nhello"
CHUNKS = b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"
POST = b"POST /a%20b?c=d HTTP/1.1\r\nHost: mien\r\n"


class Requests:
    """What a parser tells of requests."""

    def __init__(self) -> None:
        self.parser = Parser(self)
        self.read: list[tuple[bytes, str, bytes, list[bytes], bytes]] = []

    def on_message_begin(self) -> None:
        self.url, self.headers, self.body = b"", list[tuple[bytes, bytes]](), b""

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        if not self.parser.declines:
            names = [name for name, _ in self.headers]
            method, version = self.parser.get_method(), self.parser.get_http_version()
            self.read.append((method, version, self.url, names, self.body))


def read(*pieces: bytes) -> list[tuple[bytes, str, bytes, list[bytes], bytes]]:
    requests = Requests()
    for piece in pieces:
        requests.parser.feed_data(piece)
    return requests.read


@pytest.mark.parametrize(
    ("rest", "kind"), [(LENGTH, b"content-length"), (CHUNKS, b"transfer-encoding")]
)
def test_an_offer_is_read_as_if_it_were_not_there(rest: bytes, kind: bytes) -> None:
    sent = POST + OFFER + rest
    names = [b"host", b"connection", b"http2-settings", kind]
    request = (b"POST", "1.1", b"/a%20b?c=d", names, b"hello")

    assert read(sent) == [request]
    assert read(*(sent[at : at + 1] for at in range(len(sent)))) == [request]
    assert read(sent.replace(b"Upgrade,", b"Upgrade, close,")) == [request]
    assert read(sent.replace(b"HTTP/1.1", b"HTTP/1.0")) == [(b"POST", "1.0", *request[2:])]


def test_requests_behind_an_offer_are_read() -> None:
    plain = b"GET / HTTP/1.1\r\nHost: mien\r\n\r\n"
    offer = plain[:-2] + OFFER + b"\r\n"

    assert [names for *_, names, _ in read((offer + plain + POST + OFFER + LENGTH) * 2)] == 2 * [
        [b"host", b"connection", b"http2-settings"],
        [b"host"],
        [b"host", b"connection", b"http2-settings", b"content-length"],
    ]


def test_a_tunnel_is_no_request() -> None:
    with pytest.raises(httptools.HttpParserInvalidMethodError):
        read(b"CONNECT mien:80 HTTP/1.1\r\nHost: mien\r\n" + LENGTH)
