"""Pages of HTML that gateways answer with: what they say is shown, not how they are written."""

from __future__ import annotations

import time

import pytest

from picsellia_async._wire.decode import status_error
from picsellia_async._wire.endpoints import FIND_DEPLOYMENT
from picsellia_async._wire.exchange import Answer
from picsellia_async._wire.page import page_text

NGINX = (
    "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n"
    "<hr><center>nginx/1.24.0</center>\r\n</body>\r\n</html>\r\n"
)
TOKEN = "4c0e93a1-b7d2-586f-0e1c-7a94d3b2f856"
PAGES = {
    NGINX: "502 Bad Gateway: nginx/1.24.0",
    "<html><head><title>502 shard eu-7</title></head><body><h1>no peer</h1>": "502 shard eu-7: no peer",
    "\ufeff\r\n<!DOCTYPE HTML PUBLIC '-//W3C//DTD'><TITLE>Error 411</TITLE><P>Length &amp; type</P>": "Error 411: Length & type",
    "<!doctype html><html><head><style>a > b {}</style><script>if (a<b) c()</script></head><body>in the <b>way</b>": "in the way",
    "<html><!-- <title>no</title> a comment > --><body>&#80;&#x4f;&nbsp;is down</body>": "PO is down",
    "<html><body>a < b, and 3 > 2": "a < b, and 3 > 2",
    "<html>cut in <a href='": "cut in",
    "<html><script>never closed": "",
    "<html></html>": "",
    "<?xml version='1.0'?><!DOCTYPE html><html><body>İ is down</body></html>": "i̇ is down",
    "<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>": "",
    "<p>a fragment</p>": "",
    "the <html> of it": "",
    "<html>&#" + "1" * 5000 + "; is down": "&#" + "1" * 5000 + "; is down",
}


def error(content: bytes, *secrets: str):
    return status_error(FIND_DEPLOYMENT, Answer(502, (), content), "http://h", secrets=secrets)


@pytest.mark.parametrize(("page", "text"), PAGES.items(), ids=range(len(PAGES)))
def test_the_text_of_a_page_is_found(page, text):
    """Title and what a browser shows, each once; nothing of what is no page."""
    assert page_text(page) == text


def test_an_error_shows_what_the_page_says():
    """The body stays as it came; what the page does not say is shown as it is."""
    made = error(NGINX.encode())
    assert made.message == "502 Bad Gateway: nginx/1.24.0"
    assert made.body == NGINX.encode()
    assert error(b"<html></html>").message == "<html></html>"


def test_a_page_in_json_is_read_too():
    """Gateways wrap the answer of the one behind them."""
    assert error(b'{"message": "<html><title>502 Bad Gateway</title></html>"}').message == "502 Bad Gateway"


@pytest.mark.parametrize("between", ['<span class="x">', "<i id=1>", "<!-- a -->", "&#60;&#62;"])
@pytest.mark.parametrize("step", [1, 4, 9])
def test_a_credential_in_pieces_is_hidden_in_the_text(between, step):
    """Elements between its characters go, and it must not be whole then."""
    pieces = between.join(TOKEN[at : at + step] for at in range(0, len(TOKEN), step))
    text = str(error(f"<html><body>no {pieces} here</body></html>".encode(), TOKEN))
    letters = "".join(filter(str.isalnum, text))
    assert not any(TOKEN.replace("-", "")[at : at + 12] in letters for at in range(20))


def test_a_page_has_nothing_that_a_terminal_obeys():
    """Not by number either."""
    assert "\x1b" not in error(b"<html><body>&#27;[2J&#x1b;]0;x</body></html>").message


@pytest.mark.parametrize(
    "piece",
    [
        "<",
        "<!",
        "<a ",
        "</",
        "<![",
        "<?",
        "&#",
        "&",
        "<!--",
        "<script>",
        "<script></",
        "<a '",
        "<a/",
        "<title>",
        "<b>",
        "x",
        " ",
    ],
)
def test_time_is_in_proportion_to_the_page(piece):
    """No kind of it takes long: the parser of the standard library took seconds for some. The bound is a guard."""
    begun = time.process_time()
    page_text("<html>" + piece * (2**18 // len(piece)))
    assert time.process_time() - begun < 5
