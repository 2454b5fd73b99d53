"""The ids that frames get of themselves: what `uuid.uuid4` would give."""

from __future__ import annotations

import os
import pickle
import time
import uuid
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest

from picsellia_async import frames

from ..support.frames import make_frame


def test_a_frame_has_an_id_that_the_standard_library_could_have_given():
    """Version 4 and variant of RFC 4122, random elsewhere, and the same after text, pickle and comparison."""
    found = [make_frame().id for _ in range(400)]
    assert len(set(found)) == 400
    for one in found:
        assert type(one) is uuid.UUID
        assert (one.version, one.variant, one.is_safe) == (4, uuid.RFC_4122, uuid.SafeUUID.unknown)
        assert uuid.UUID(str(one)) == one == pickle.loads(pickle.dumps(one))
    ones = zeros = 0
    for one in found:
        ones, zeros = ones | one.int, zeros | ~one.int
    assert (ones & zeros).bit_count() >= 122  # no other bit stands still


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
def test_a_forked_child_gives_no_id_of_its_parents():
    """Numbers are drawn ahead: those that the parent has drawn must not be used by both."""
    make_frame()  # there is something drawn that the child could take
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # 3.12 and on: other tests may have left threads
        child = os.fork()
    if not child:
        try:
            os.write(writing, "\n".join(str(make_frame().id) for _ in range(20)).encode())
        finally:
            os._exit(0)
    os.close(writing)
    mine = {str(make_frame().id) for _ in range(20)}
    with os.fdopen(reading, "rb") as pipe:
        theirs = set(pipe.read().decode().split())
    os.waitpid(child, 0)
    assert len(mine) == len(theirs) == 20
    assert not mine & theirs


def test_threads_share_no_ids():
    """Also where several find at once that all drawn numbers are used."""
    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda _: make_frame().id, range(5000)))
    assert len(set(ids)) == len(ids)


def test_what_was_drawn_is_used_for_a_second_only(monkeypatch):
    """A copy of the process that no hook of Python's is told of (uWSGI, a virtual machine) has it too."""
    draws = []
    urandom = os.urandom
    monkeypatch.setattr(frames.os, "urandom", lambda size: draws.append(size) or urandom(size))
    make_frame()
    begun = len(draws)
    now = time.time()
    monkeypatch.setattr(frames.time, "time", lambda: now + 1.5)
    make_frame()
    make_frame()
    assert len(draws) == begun + 1
