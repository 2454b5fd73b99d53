"""Sign-in: one login for many, renewal in time, and no effect of one caller's end on the others."""

from __future__ import annotations

import asyncio
import datetime

import pytest

from picsellia_async._http.auth import JwtCredential, StaticCredential, lifetime_seconds
from picsellia_async.config import Timeouts
from picsellia_async.errors import AuthenticationError, ClosedError
from picsellia_async.models import LoginReceipt

pytestmark = pytest.mark.anyio

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


class Logins:
    """A service that signs in when it is let to."""

    def __init__(self, expires: object = 3600) -> None:
        self.count = 0
        self.expires = expires
        self.failure: Exception | None = None
        self.began = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.time = 0.0

    async def __call__(self, timeouts: Timeouts):
        self.count += 1
        self.began.set()
        await self.may_answer.wait()
        if self.failure is not None:
            raise self.failure
        return LoginReceipt(jwt=f"jwt-{self.count}", expires=self.expires), NOW

    def credential(self) -> JwtCredential:
        return JwtCredential(self, lambda: self.time)


async def test_two_hundred_callers_share_one_login():
    """However many wait, one login runs."""
    logins = Logins()
    credential = logins.credential()
    lines = await asyncio.gather(*(credential.acquire(Timeouts()) for _ in range(200)))
    assert logins.count == 1
    assert set(lines) == {b"authorization: Bearer jwt-1\r\n"}


async def test_a_refused_token_is_renewed_once():
    """Two hundred 401s for one token cause one login; a late one does not throw the newer token away."""
    logins = Logins()
    credential = logins.credential()
    old = await credential.acquire(Timeouts())

    async def refused() -> bytes:
        assert credential.invalidate(old)
        return await credential.acquire(Timeouts())

    new = set(await asyncio.gather(*(refused() for _ in range(200))))
    assert logins.count == 2
    credential.invalidate(old)
    assert {await credential.acquire(Timeouts())} == new
    assert logins.count == 2


async def test_a_cancelled_leader_takes_nothing_from_the_others():
    """The login goes on for those who still wait."""
    logins = Logins()
    logins.may_answer.clear()
    credential = logins.credential()
    leader = asyncio.create_task(credential.acquire(Timeouts()))
    follower = asyncio.create_task(credential.acquire(Timeouts()))
    await logins.began.wait()
    leader.cancel()
    logins.may_answer.set()
    assert await follower == b"authorization: Bearer jwt-1\r\n"
    assert logins.count == 1
    with pytest.raises(asyncio.CancelledError):
        await leader


async def test_a_failed_login_reaches_every_waiter_and_the_next_call_tries_anew():
    """Each waiter gets an error of its own; the failure is not remembered."""
    logins = Logins()
    logins.failure = AuthenticationError("no", 401, "POST", "https://o/api/auth/login")
    credential = logins.credential()
    errors = await asyncio.gather(*(credential.acquire(Timeouts()) for _ in range(3)), return_exceptions=True)
    assert [type(e) for e in errors] == [AuthenticationError] * 3
    assert len({id(e) for e in errors}) == 3
    assert logins.count == 1
    logins.failure = None
    assert await credential.acquire(Timeouts()) == b"authorization: Bearer jwt-2\r\n"


async def test_renewed_before_it_expires():
    """A minute before its end (or a tenth of a short life) a token is used no more."""
    logins = Logins(expires=3600)
    credential = logins.credential()
    await credential.acquire(Timeouts())
    logins.time = 3539
    await credential.acquire(Timeouts())
    assert logins.count == 1
    logins.time = 3540
    await credential.acquire(Timeouts())
    assert logins.count == 2


async def test_closing_stops_a_login_under_way():
    """No task is left behind, and whoever waited gets an error, not a cancellation that nobody asked for."""
    tasks = asyncio.all_tasks()
    logins = Logins()
    logins.may_answer.clear()
    credential = logins.credential()
    waiter = asyncio.create_task(credential.acquire(Timeouts()))
    await logins.began.wait()
    await credential.aclose()
    with pytest.raises(ClosedError):
        await waiter
    assert asyncio.all_tasks() == tasks


@pytest.mark.parametrize(
    ("expires", "seconds"),
    [
        (3600, 3600.0),
        (3600.5, 3600.5),
        ("3600", 3600.0),
        (NOW.timestamp() + 90, 90.0),
        (int(NOW.timestamp()) + 90, 90.0),
        ("2026-01-01T01:00:00+00:00", 3600.0),
        ("2026-01-01T01:00:00Z", 3600.0),
        ("2026-01-01T01:00:00", 3600.0),
        ("2026-01-01T02:00:00+01:00", 3600.0),
        (None, float("inf")),
        (0, float("inf")),
        (-5, float("inf")),
        (True, float("inf")),
        ("soon", float("inf")),
        ("2025-01-01T00:00:00Z", float("inf")),
        ({}, float("inf")),
    ],
    ids=repr,
)
def test_every_form_of_expires(expires, seconds):
    """Seconds, epoch seconds or ISO time, against the service's own clock; what says nothing usable never expires by itself."""
    assert lifetime_seconds(expires, NOW) == pytest.approx(seconds)


async def test_a_static_credential_has_nothing_to_renew():
    """A 401 of the platform is final."""
    credential = StaticCredential(b"authorization: Bearer secret\r\n")
    assert await credential.acquire(Timeouts()) == b"authorization: Bearer secret\r\n"
    assert credential.current() == b"authorization: Bearer secret\r\n"
    assert not credential.invalidate(b"authorization: Bearer secret\r\n")
    assert "secret" not in repr(credential)


async def test_no_token_in_any_repr():
    """Neither the receipt nor the credential shows the JWT."""
    logins = Logins()
    credential = logins.credential()
    await credential.acquire(Timeouts())
    assert "jwt-1" not in repr(credential)
    assert "jwt-9" not in repr(LoginReceipt(jwt="jwt-9", expires=1))
