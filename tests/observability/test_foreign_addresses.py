"""What errors show of addresses that others made: where a redirect leads, what a storage signed, the environment's proxies, a camera's."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import pytest

from picsellia_async import ConfigurationError, PicselliaError
from picsellia_async._http.observation import _shown as shown_target
from picsellia_async._http.proxies import Proxy
from picsellia_async._http.service import _place
from picsellia_async._services.storage import _presigned, _storage
from picsellia_async._wire.decode import status_error
from picsellia_async._wire.endpoints import MONITOR
from picsellia_async._wire.exchange import Answer, Origin, without_user
from picsellia_async._wire.foreign_address import foreign_address, foreign_path
from picsellia_async.sources import SourceError
from picsellia_async.sources._camera_http import answer_of

OURS = "https://oracle.example/api/deployment/0190a6a2-4b1e-7cc0-8f5a-1b2c3d4e5f60/predictions"
SECRETS = ("hunter2", "Secretpw", "SIGsecret77", "1234")

ODD = [
    "http://u:hunter2/Secretpw@h.corp/x", "http://u:hunter2#Secretpw@h/x", "http://u:hunter2?Secretpw@h/x",
    "http://u:1234/Secretpw@h/x", "http://u:1234?Secretpw@h/x", "http://u:1234#Secretpw%40h/x", "http://hunter2?Secretpw@h/x",
    "https://u%3Ahunter2Secretpw%40h/x", "https%3A%2F%2Fu%3Ahunter2Secretpw%40h%2Fx", "ht tp://u:hunter2Secretpw@h/x",
    "h_tp://u:hunter2Secretpw@h/x", "http:\\\\u:hunter2Secretpw@h.corp/x", "http:/u:hunter2Secretpw@h/x", "u:hunter2Secretpw@h/x",
    "http://[::1/x?sig=SIGsecret77&p=hunter2Secretpw", "http://u:hunter2Secretpw@h:99999/x", "http://u:hunter2Secretpw@h:port/x",
    "http://u:hunter2Secretpw@/x", "http://u:hunter2Secretpw@h\u00fc/x",
    "http://h/x@u:hunter2Secretpw@h/x", "javascript:hunter2Secretpw", "http://hunter2Secretpw:@h\\x",
]  # fmt: skip
WELL_FORMED = {
    "http://u:hunter2Secretpw@h.corp/x?sig=SIGsecret77": "http://h.corp/x",
    "http://u:hunt@er2Secretpw@h.corp/x": "http://h.corp/x",
    "//u:hunter2Secretpw@h.corp/x": "https://h.corp/x",
    "http://h/x;sig=SIGsecret77/y": "http://h/***/y",
    "http://h/sig,SIGsecret77/y": "http://h/***/y",
    "http://h/SIGsecret77aB/y": "http://h/***/y",
    "http://h/x#access_token=SIGsecret77": "http://h/x",
    "/login?next=SIGsecret77": "https://oracle.example/login",
    "https://portal.corp:8443/sign-in/index.html?login_hint=a%20b": "https://portal.corp:8443/sign-in/index.html",
    "https://login.corp/auth?login_hint=me%40corp.example": "https://login.corp/auth",
    "http://[fe80::1%25eth0]:8080/v2/": "http://[fe80::1%25eth0]:8080/v2/",
    "https://5e1f09c7d2a84b6f93e0a17bc4d85f62310ab9ce.corp/x": "https://***.corp/x",
    OURS.replace("https", "http"): OURS.replace("https", "http"),
}


def told(location: str) -> str:
    return str(status_error(MONITOR, Answer(302, [(b"location", location.encode())], b""), OURS))


def refusals(url: str) -> Iterator[str]:
    """Yield what is said of a presigned address where it is refused."""
    try:
        _storage(url)
        _presigned("x", "PUT", url, frozenset())
    except PicselliaError as error:
        yield str(error)


@pytest.mark.parametrize("location", ODD)
def test_an_odd_address_is_told_by_its_length(location: str) -> None:
    """Readers of addresses differ on what its password is; nothing of it is shown, wherever such an address stands."""
    assert foreign_address(location) == f"*** (no plain address, {len(location)} characters)"
    shown = [told(location), str(Proxy("HTTP_PROXY", location)), *refusals(location)]
    assert "it redirects to " in shown[0]
    assert "which is not followed" in shown[0]
    assert not [(one, secret) for one in shown for secret in SECRETS if secret in one]


@pytest.mark.parametrize(("location", "place"), WELL_FORMED.items())
def test_of_an_address_host_and_words_are_shown(location: str, place: str) -> None:
    """So that one sees who answered: a portal, another path of the service, the same one with https."""
    assert f": it redirects to {place}, which is not followed" in told(location)


def test_a_signature_in_the_path_of_a_storage_is_hidden() -> None:
    """In the address that errors have, and in that of spans; words of the path, and names of the query, are shown."""
    url = (
        "https://u:hunter2@files.example/bucket/SIGsecret77aB/images/a.jpg;sig=SIGsecret77?X-Amz-Signature=SIGsecret77"
    )
    endpoint = _presigned("put_object", "PUT", url, frozenset({200}))
    origin = Origin.parse(url)
    assert _place(origin, endpoint, ())[1] == "https://files.example/bucket/***/images/***"
    assert shown_target(endpoint, url.partition("example")[2]) == "/bucket/***/images/***?X-Amz-Signature=REDACTED"
    assert foreign_path("/bucket/a.jpg?x=y") == "/bucket/a.jpg"


@pytest.mark.parametrize(
    "place", ["ftps://u:hunter2Secretpw@h/x", "rtsp://u:hunter2/Secretpw@h/x", "gopher:u%3Ahunter2Secretpw%40h"]
)
def test_the_redirect_of_a_camera_is_told_without_passwords(place: str) -> None:
    """The standard library puts the address, as it is, into the reason of the status."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(302)
            self.send_header("location", place)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/stream"
        with pytest.raises(SourceError, match=r"HTTP 302 it redirects to .*, which is not followed") as caught:
            answer_of(url, url, 10.0)
        thread.join()
    assert not any(secret in str(caught.value) for secret in SECRETS)


def test_a_coded_address_in_the_place_of_the_host_is_not_shown() -> None:
    """As `quote(url, safe="")` writes it."""
    for url in ("https%3A%2F%2Fu%3Ahunter2%40h", "http://[::1/x?sig=hunter2"):
        with pytest.raises(ConfigurationError) as caught:
            Origin.parse(url)
        assert "hunter2" not in str(caught.value)
    assert "hunter2" not in without_user("https://u%3Ahunter2%40h")
