"""The error tree: who derives from whom, what survives copying, what text shows."""

from __future__ import annotations

import copy
import inspect
import pickle

import pytest

from picsellia_async import errors
from picsellia_async.errors import (
    AuthenticationError,
    BadGatewayError,
    BadRequestError,
    ConfigurationError,
    ConflictError,
    MonitorError,
    MonitoringConnectionError,
    PicselliaError,
    PredictionError,
    RateLimitError,
    ServerError,
    StatusError,
    TransportError,
    status_error_class,
)

CLASSES = sorted(
    {cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, Exception)},
    key=lambda cls: cls.__name__,
)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_error_has_the_one_base(cls):
    """`except PicselliaError` misses nothing that this library raises on purpose."""
    assert issubclass(cls, PicselliaError)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))])
def test_errors_survive_copy_and_pickle(cls, duplicate):
    """A process pool or a shared failure hands on the same class, text and facts."""
    error = cls("it failed")
    again = duplicate(error)
    assert type(again) is cls
    assert str(again) == str(error)
    assert vars(again) == vars(error)


@pytest.mark.parametrize("family", [MonitorError, PredictionError])
@pytest.mark.parametrize("status", [400, 402, 403, 404, 409, 413, 418, 422, 423, 429, 500, 501, 502, 503, 599])
def test_errors_of_a_family_survive_pickle(family, status):
    """The classes that are made for a family and a status are found again in another process."""
    cls = status_error_class(status, family)
    error = cls("no", status, "POST", "https://o/x", ["a"], b"body", 3, 1.5)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is cls
    assert (again.status, again.detail, again.body, again.attempts, again.retry_after) == (
        status,
        ["a"],
        b"body",
        3,
        1.5,
    )
    assert isinstance(again, family)
    assert isinstance(again, status_error_class(status))


@pytest.mark.parametrize(
    ("status", "expected"),
    [(400, BadRequestError), (422, BadRequestError), (401, AuthenticationError), (409, ConflictError),
     (429, RateLimitError), (502, BadGatewayError), (599, ServerError), (418, StatusError)],
)  # fmt: skip
def test_a_status_has_its_class(status, expected):
    """What a caller would do differently has a class of its own; the rest falls back to the nearest base."""
    assert status_error_class(status) is expected


def test_monitoring_names_what_the_vendor_names():
    """Above 500 the vendor raises `MonitoringConnectionError`; a 401 stays the sign-in's error, in any family."""
    assert issubclass(status_error_class(503, MonitorError), MonitoringConnectionError)
    assert not issubclass(status_error_class(500, MonitorError), MonitoringConnectionError)
    assert [str(kind("mine")) for kind in (StatusError, ConflictError, TransportError)] == ["mine"] * 3
    assert status_error_class(503, MonitoringConnectionError) is MonitoringConnectionError
    assert issubclass(status_error_class(502, MonitoringConnectionError), BadGatewayError)
    assert issubclass(status_error_class(502, MonitoringConnectionError), MonitoringConnectionError)
    for status in (400, 404, 500):
        assert status_error_class(status, MonitoringConnectionError) is status_error_class(status)
    assert status_error_class(401, PredictionError) is AuthenticationError
    assert status_error_class(404, AuthenticationError) is AuthenticationError
    assert status_error_class(503, AuthenticationError) is ServerError


def test_vendor_names_are_the_same_classes():
    """An `except` written for the vendor's SDK still catches."""
    names = {
        "ForbiddenError": "PermissionDeniedError", "ResourceNotFoundError": "NotFoundError", "UnauthorizedError": "AuthenticationError",
        "ResourceConflictError": "ConflictError", "TooManyRequestError": "RateLimitError", "RequestTooLargeError": "PayloadTooLargeError",
        "ResourceLockedError": "LockedError", "InsufficientResourcesError": "QuotaExceededError",
    }  # fmt: skip
    assert all(getattr(errors, theirs) is getattr(errors, ours) for theirs, ours in names.items())


def test_text_is_short_and_says_where():
    """A page of HTML does not fill the log; status, verb, URL and attempts are there."""
    error = status_error_class(502)("<html>" + "x" * 5000, 502, "GET", "https://h/p", None, b"", 4)
    assert len(str(error)) < 300
    assert "502 for GET https://h/p" in str(error)
    assert "after 4 attempts" in str(error)


def test_a_list_of_details_is_readable():
    """The service's list of problems becomes one line."""
    error = BadRequestError("invalid", 400, "POST", "https://h/p", ["a is missing", "b is missing"])
    assert "invalid. Detail: a is missing; b is missing" in str(error)


def test_who_must_act_is_a_base_class():
    """A bad argument is also a ValueError, and says that nothing was sent by its class alone."""
    assert issubclass(ConfigurationError, ValueError)
    assert not issubclass(ConfigurationError, (StatusError, TransportError))
    assert issubclass(errors.FileNotFoundException, FileNotFoundError)
    assert issubclass(errors.FileIsDirectoryError, IsADirectoryError)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))])
@pytest.mark.parametrize("family", [None, MonitorError, PredictionError])
@pytest.mark.parametrize("status", [404, 409, 503])
def test_a_copy_keeps_what_was_added(status, family, duplicate):
    """Notes and what a listing had read travel with the error, whichever class stands for it."""
    error = status_error_class(status, family)("m", status, "GET", "http://u")
    error.items_read = [1]
    error.add_note("while monitoring camera 7")
    again = duplicate(error)
    assert (type(again), str(again)) == (type(error), str(error))
    assert (again.items_read, again.__notes__) == ([1], ["while monitoring camera 7"])
