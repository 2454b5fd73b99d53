"""However a response is cut into pieces, it is read the same."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from picsellia_async._http.parser import MalformedResponse, ResponseParser

TOKENS = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=12).filter(
    lambda name: name not in {"connection", "content-length", "transfer-encoding", "upgrade", "trailer"}
)
VALUES = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=30)


@st.composite
def responses(draw: Any) -> tuple[bytes, int, list[tuple[bytes, bytes]], bytes]:
    status = draw(st.sampled_from([200, 201, 204, 304, 404, 409, 500]))
    body = b"" if status in {204, 304} else draw(st.binary(max_size=200))
    headers = [(name.encode(), value.encode()) for name, value in draw(st.lists(st.tuples(TOKENS, VALUES), max_size=5))]
    framing = draw(st.sampled_from(["length", "chunked"]))
    wire = b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" * draw(st.integers(0, 2))
    wire += b"HTTP/1.1 %d Reason\r\n" % status + b"".join(b"%b: %b\r\n" % header for header in headers)
    if status in {204, 304}:
        wire += b"\r\n"
    elif framing == "length":
        headers.append((b"content-length", b"%d" % len(body)))
        wire += b"content-length: %d\r\n\r\n" % len(body) + body
    else:
        headers.append((b"transfer-encoding", b"chunked"))
        wire += b"transfer-encoding: chunked\r\n\r\n"
        start = 0
        for size in draw(st.lists(st.integers(1, 50), max_size=8)):
            piece = body[start : start + size]
            if piece:
                wire += b"%x\r\n%b\r\n" % (len(piece), piece)
            start += size
        if rest := body[start:]:
            wire += b"%x\r\n%b\r\n" % (len(rest), rest)
        wire += b"0\r\n\r\n"
    return wire, status, headers, body


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges) if start < end]


@settings(max_examples=300, deadline=None)
@given(st.lists(responses(), min_size=1, max_size=3), st.lists(st.integers(0, 5000), max_size=40))
def test_random_splits(made: list[Any], cuts: list[int]) -> None:
    """Responses one after the other on one connection come out whole, wherever they were cut."""
    parser = ResponseParser()
    for wire, status, headers, body in made:
        parser.begin(head_only=False)
        content = b""
        for piece in pieces(wire, cuts):
            assert not parser.complete
            parser.feed(memoryview(piece))
            content += parser.take()
        assert parser.complete
        assert parser.keep_alive
        assert not parser.surplus
        assert (parser.status, parser.headers, content) == (status, headers, body)


@settings(max_examples=300, deadline=None)
@given(responses(), st.integers(0, 5000), st.lists(st.integers(0, 5000), max_size=10))
def test_a_cut_response_is_never_complete(made: Any, at: int, cuts: list[int]) -> None:
    """A response that lacks its last byte or more is not complete, and the end of the stream does not make it so."""
    wire, *_ = made
    parser = ResponseParser()
    for piece in pieces(wire[: at % len(wire)], cuts):
        parser.feed(piece)
    assert not parser.complete
    assert not parser.finish_at_end()


@settings(max_examples=300, deadline=None)
@given(responses(), st.binary(min_size=1, max_size=50), st.lists(st.integers(0, 5000), max_size=5))
def test_anything_after_a_response_is_noticed(made: Any, extra: bytes, cuts: list[int]) -> None:
    """Whatever follows a response, but for line ends, forbids another one on the same connection."""
    wire, *_ = made
    parser = ResponseParser()
    try:
        for piece in pieces(wire + extra, cuts):
            if parser.complete:  # the connection refuses these by itself
                return
            parser.feed(piece)
    except MalformedResponse:
        return
    assert parser.complete
    assert parser.surplus or not extra.strip(b"\r\n")


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300), st.lists(st.integers(0, 400), max_size=5))
def test_garbage_never_escapes(data: bytes, cuts: list[int]) -> None:
    """Random bytes give MalformedResponse or an unfinished response, never another exception."""
    parser = ResponseParser()
    try:
        for piece in pieces(data, cuts):
            parser.feed(piece)
    except MalformedResponse:
        pass
    assert not parser.complete


def test_the_c_parser_is_let_go() -> None:
    """Closing breaks the reference cycle with the C parser."""
    parser = ResponseParser()
    parser.close()
    assert parser._parser is None
