"""What the constructor, the limits and the host are checked for, and what a look at a client shows."""

from __future__ import annotations

import pickle

import httpx
import pytest

from picsellia_async import AsyncClient, ConfigurationError, RetryPolicy, Timeouts
from picsellia_async._wire.exchange import Origin

TOKEN = "a-token-that-nobody-may-see"


@pytest.mark.parametrize(
    "url",
    ["http://h ost", "http://h%0d%0a", "http://h\\@evil", "http://a..b", "app.picsellia.com", "ftp://h", "http://h:0", 7],
)  # fmt: skip
def test_a_host_that_is_none_is_refused(url):
    """What no header may hold, and what two readers of URLs would read differently, is no host."""
    with pytest.raises(ConfigurationError, match="host must be an http or https URL"):
        Origin.parse(url)


@pytest.mark.parametrize(
    "host",
    [
        "http://127.0.0.1:9 {}",
        "{}",
        "http://127.0.0.1:{}",
        "http://{}:9",
        "http://x.{}.y",
        "http://u:{}@h",
        "https://h/ {}/",
    ],
)
def test_a_token_in_the_place_of_the_host_is_not_shown(host):
    """Neither in an error nor in what the client shows."""
    token = "5e1f09c7d2a84b6f93e0a17bc4d85f62310ab9ce"
    try:
        shown = repr(AsyncClient(token, host=host.format(token)))
    except ConfigurationError as error:
        shown = f"{error} {error!r}"
    assert token not in shown


def test_a_wrong_host_is_shown():
    """Long names too, which have dots."""
    name = "monitoring.a-rather-long-part.example"
    with pytest.raises(ConfigurationError, match=name):
        Origin.parse(name)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("HTTPS://App.X.com/path/?q", "https://app.x.com"),
        ("http://[::1]:80/", "http://[::1]"),
        ("http://u:p@h:81", "http://h:81"),
        ("https://é.fr", "https://xn--9ca.fr"),
        ("http://under_score", "http://under_score"),
    ],
)
def test_a_host_is_read_to_its_origin(url, origin):
    """Case, path, default port and user information make no difference."""
    assert str(Origin.parse(url)) == origin


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("transport", 5),
        ("http_client", "x"),
        ("http_client", httpx.Client),
        ("verify", False),
        ("organization_name", 5),
        ("organization_name", ""),
        ("retry", None),
        ("timeout", (1, 2)),
        ("timeout", 10**400),
    ],
    ids=lambda v: v if isinstance(v, str) and v else repr(v)[:20],
)
def test_a_setting_of_the_wrong_kind_is_named(name, value):
    """Refused when the client is made, not at the first call."""
    with pytest.raises(ConfigurationError, match=name):
        AsyncClient(TOKEN, **{name: value})


def test_a_copy_checks_its_limits_too():
    """`with_options` takes what the constructor takes, and nothing else."""
    client = AsyncClient(TOKEN)
    with pytest.raises(ConfigurationError, match="retry must be a RetryPolicy"):
        client.with_options(retry=3)
    with pytest.raises(ConfigurationError, match="timeout"):
        client.with_options(timeout="5")


@pytest.mark.parametrize("value", [None, 429, "429", ["x"], {200}, {True}, {700}], ids=repr)
def test_statuses_that_are_none_are_refused(value):
    """A policy repeats after error statuses only."""
    with pytest.raises(ConfigurationError, match=r"retry\.statuses"):
        RetryPolicy(statuses=value)


@pytest.mark.parametrize("phase", ["connect", "read", "write", "pool"])
@pytest.mark.parametrize("value", ["5", 0, -1, True, float("nan"), float("inf")], ids=repr)
def test_a_phase_of_a_timeout_is_checked(phase, value):
    """`Timeouts` made by hand is held to the same rule as `timeout=`."""
    with pytest.raises(ConfigurationError, match=rf"timeout\.{phase}"):
        Timeouts(**{phase: value})
    assert Timeouts(**{phase: 5}) == Timeouts(**{phase: 5.0})


def test_a_look_inside_does_not_show_the_token():
    """Debuggers and error reporters that print `vars(...)` of a client find no token; a pickle still carries it."""
    client = AsyncClient(TOKEN, host="http://127.0.0.1:1")
    assert TOKEN not in repr(vars(client))
    assert TOKEN not in repr(client._account)
    assert pickle.loads(pickle.dumps(client))._account.settings.api_token == TOKEN


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
@pytest.mark.anyio
async def test_certificates_that_are_not_there(name, monkeypatch):
    """A variable that names certificates which are not there is named by the error, before any connection."""
    monkeypatch.setenv(name, "/no/where")
    client = AsyncClient(TOKEN, host="https://127.0.0.1:9")
    with pytest.raises(ConfigurationError, match=f"{name} names certificates that are not there"):
        await client.connect()
    await client.aclose()
