"""Byte-level faults: what happens to the bytes of one connection when a `Fault` resets, stalls, drips, truncates or lies.

Theory of operation. A `FaultyConnection` stands between the socket and the server. It sees the bytes from the client (`received`) and
those from the server (`written`) and passes both on. It reads the head of each request, draws a fault for it, and from then on
counts the bytes of the body (`up`) or of the answer (`down`) until the threshold, where the fault acts. Held bytes stay in one
queue per direction, and while any are held the client's socket is not read, so that a stalled server exerts the
back-pressure of a real one. Everything runs on one event loop; nothing here knows uvicorn (`faulty_protocol`) or the emulator.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import struct
from collections import deque
from collections.abc import Callable
from typing import Final

from picsellia_async.emulator.transport.fault import Fault, FaultKind
from picsellia_async.emulator.transport.fault_register import Faults, Request

_AUTHORIZATION: Final = re.compile(rb"\r\nauthorization:[ \t]*([^\r]*)", re.IGNORECASE)
_CONTENT_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_CHUNKED: Final = re.compile(rb"\r\ntransfer-encoding:[^\r]*chunked", re.IGNORECASE)
_END_OF_HEAD: Final = b"\r\n\r\n"
_DRIP_SECONDS: Final = 0.02
"""Pause between two pieces of a drip."""


def reset(transport: asyncio.BaseTransport) -> None:
    """Close a connection with RST instead of FIN; what is still unsent is lost."""
    # A close with a linger time of 0 is what makes the kernel send RST: nothing may be left to be delivered.
    sock = transport.get_extra_info("socket")
    if sock is not None:
        # Suppressed: the peer was faster, there is no connection left to reset.
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if isinstance(transport, asyncio.WriteTransport) or hasattr(transport, "abort"):
        transport.abort()


class _Framing:
    """Splits one direction of a connection into heads and bodies; HTTP/1.1 without pipelining."""

    def __init__(self) -> None:
        self.head = bytearray()
        self.left: int | None = 0
        """Bytes of the body still to come; None: chunked, up to the final chunk; 0: a head comes next."""
        self.length: int | None = 0
        """Length of the body whose bytes are passing; None: unknown."""

    def take_head(self, data: bytes) -> tuple[bytes, bytes] | None:
        """Collect a head; return it and what came behind, or None while it is incomplete."""
        self.head += data
        end = self.head.find(_END_OF_HEAD)
        if end < 0:
            return None
        head, rest = bytes(self.head[: end + 4]), bytes(self.head[end + 4 :])
        self.head.clear()
        found = _CONTENT_LENGTH.search(head)
        self.length = None if _CHUNKED.search(head) else int(found[1]) if found else 0
        self.left = self.length
        return head, rest

    def advance(self, data: bytes) -> int:
        """Count body bytes; return how many of `data` belong to this body."""
        if self.left is None:
            # Chunks are not parsed: who sends the final chunk sends nothing behind it, as nobody pipelines.
            if data.endswith(b"0\r\n\r\n"):
                self.left = 0
            return len(data)
        taken = min(self.left, len(data))
        self.left -= taken
        return taken


class _HeldBytes:
    """Bytes held back in one direction, let go at once or drop by drop."""

    def __init__(self, out: Callable[[bytes], None], emptied: Callable[[], None]) -> None:
        self._out = out
        self._emptied = emptied
        self._held: deque[bytes] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self.is_holding = False
        self.is_over = False
        """Whether the connection is gone; bytes that still come are dropped."""

    def put(self, data: bytes) -> None:
        """Pass bytes on, or hold them; once the connection is gone, drop them."""
        if self.is_over:
            return
        if self.is_holding:
            self._held.append(data)
        elif data:
            self._out(data)

    def hold(self, seconds: float | None) -> None:
        """Let nothing pass for so many seconds, or for good."""
        self.is_holding = True
        if seconds is not None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self.release)

    def drip(self, bytes_per_second: int) -> None:
        """Let what is and will be held pass at this speed, until it has caught up with the sender."""
        self.is_holding = True
        piece = max(1, int(bytes_per_second * _DRIP_SECONDS))
        pause = piece / bytes_per_second

        def step() -> None:
            data = b"".join(self._held)
            self._held.clear()
            # Caught up with the sender: from here on bytes pass as they come, or a keep-alive connection would drip for ever.
            if not data:
                self.release()
                return
            self._out(data[:piece])
            if data[piece:]:
                self._held.append(data[piece:])
            self._timer = asyncio.get_running_loop().call_later(pause, step)

        self._timer = asyncio.get_running_loop().call_later(pause, step)

    def release(self) -> None:
        # Stopped first: what `_out` sets off (the server answers at once) must not find this queue holding, and join it out of order.
        self.stop()
        held = b"".join(self._held)
        self._held.clear()
        if held:
            self._out(held)
        self._emptied()

    def stop(self) -> None:
        self.is_holding = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class FaultyConnection:
    """Both directions of one connection, with the fault of the request that is under way."""

    def __init__(self, faults: Faults, link: asyncio.Transport, up: Callable[[bytes], None]) -> None:
        """Begin at the head of a request.

        Args:
            faults: The register to draw from.
            link: Transport to the client.
            up: Takes what the server is to receive.
        """
        self._faults = faults
        self._link = link
        self._up = _HeldBytes(up, self._settle)
        self._down = _HeldBytes(link.write, self._settle)
        self._request_framing = _Framing()
        self._answer_framing = _Framing()
        self._request: Request | None = None
        self._fault: Fault | None = None
        self._passed = 0
        self._is_answering = False
        self._is_paused_by_server = False
        self._is_closing = False
        self._is_over = False

    @property
    def is_between_requests(self) -> bool:
        """Whether nothing is held and no request is under way in either direction."""
        return not self.is_holding and self._request_framing.left == 0 and not self._request_framing.head

    @property
    def is_holding(self) -> bool:
        """Whether bytes are held back in either direction."""
        return self._up.is_holding or self._down.is_holding

    @property
    def acted(self) -> list[str]:
        """Ids of the faults that acted on the request under way; it grows as they do."""
        return [] if self._request is None else self._request.acted

    def abort(self) -> None:
        """Reset the connection to the client."""
        self.end()
        reset(self._link)

    def end(self) -> None:
        """Stop every timer and drop what is held: the connection is gone."""
        # Marked before the timers stop: a release that is due in this very turn of the loop would write to a closed transport.
        self._is_over = self._up.is_over = self._down.is_over = True
        self._up.stop()
        self._down.stop()

    # From the client to the server.

    def received(self, data: bytes) -> None:
        """Take bytes that came from the client."""
        framing = self._request_framing
        while data and not self._is_over:
            if framing.left == 0:
                split = framing.take_head(data)
                if split is None:
                    return
                self._begin(split[0])
                # The head goes through the fault as well: a threshold of 0 acts before the server has seen the request.
                self._pass_up(split[0], 0)
                data = split[1]
            else:
                taken = framing.advance(data)
                self._pass_up(data[:taken], taken)
                data = data[taken:]

    def _begin(self, head: bytes) -> None:
        method, _, rest = head.partition(b" ")
        path = rest.partition(b" ")[0].partition(b"?")[0].decode("latin-1")
        credential = _AUTHORIZATION.search(head)
        self._request = self._faults.request(method.decode("latin-1"), path, credential[1] if credential else b"")
        self._passed = 0
        self._is_answering = False
        self._answer_framing = _Framing()
        self._fault = None
        if not path.startswith("/emulator"):
            self._fault = next((fault for fault, _ in self._faults.draw(self._request, byte_level=True)), None)

    def _pass_up(self, data: bytes, body_bytes: int) -> None:
        """Pass on a head (`body_bytes` 0) or a piece of the body, unless the fault's moment has come."""
        fault = self._fault
        if fault is None or fault.acts_on == "down" or self._up.is_holding:
            self._up.put(data)
            return
        length = self._request_framing.length
        threshold = fault.threshold(length)
        if length is not None:
            threshold = min(threshold, length)
        before = self._passed
        self._passed += body_bytes
        if self._passed < threshold or (not body_bytes and threshold > 0):
            self._up.put(data)
            return
        allowed = max(0, threshold - before) if body_bytes else 0
        if allowed and threshold == length:
            # The whole request arrived here, but the server must not be able to act on it: "up" promises that nothing is stored.
            allowed -= 1
        self._up.put(data[:allowed])
        self._act(self._up)
        self._up.put(data[allowed:])

    # From the server to the client.

    def written(self, data: bytes) -> None:
        """Take bytes that the server sends to the client."""
        fault = self._fault
        if self._is_over:
            return
        if fault is None or fault.acts_on == "up" or self._down.is_holding:
            # Behind held bytes there is only the queue: a fault has acted already, and order must be kept.
            self._down.put(data)
            return
        framing = self._answer_framing
        if not self._is_answering:
            split = framing.take_head(data)
            if split is None:
                return
            self._is_answering = True
            self._passed = 0
            head, data = split
            self._send_head(fault, head)
        if data and not self._is_over:
            self._send_body(data)

    def _send_head(self, fault: Fault, head: bytes) -> None:
        length = self._answer_framing.length
        if fault.kind is FaultKind.LYING_LENGTH:
            if length:
                lie = max(0, length + fault.delta)
                self._down.put(_CONTENT_LENGTH.sub(b"\r\ncontent-length: %d" % lie, head))
                self._record()
                return
        elif fault.threshold(length) == 0:
            self._act(self._down)
        self._down.put(head)

    def _send_body(self, data: bytes) -> None:
        fault, framing = self._fault, self._answer_framing
        if fault is None or self._down.is_holding:
            self._down.put(data)
            return
        framing.advance(data)
        before = self._passed
        self._passed += len(data)
        if fault.kind is FaultKind.LYING_LENGTH:
            self._down.put(data)
            if framing.left == 0 and fault.delta > 0:
                # The client waits for bytes that never come; a server that promised too much closes behind its answer.
                self._link.close()
            return
        threshold = fault.threshold(framing.length)
        if self._passed < threshold:
            self._down.put(data)
            return
        allowed = max(0, threshold - before)
        self._down.put(data[:allowed])
        self._act(self._down)
        self._down.put(data[allowed:])

    # The faults themselves.

    def _act(self, queue: _HeldBytes) -> None:
        fault = self._fault
        if fault is None:
            return
        # It acts once per request: a drip or stall that ended must not begin again with the next piece.
        self._record()
        self._fault = None
        if fault.kind is FaultKind.RESET:
            self.abort()
        elif fault.kind is FaultKind.TRUNCATE:
            # FIN, not RST: what was passed on before is still delivered. The server's own writes are dropped from here on.
            self.end()
            self._link.close()
        elif fault.kind is FaultKind.STALL:
            queue.hold(fault.seconds)
        elif fault.kind is FaultKind.DRIP:
            queue.drip(fault.bytes_per_second)
        if queue is self._up and queue.is_holding and not self._link.is_closing():
            # Unread bytes fill the kernel's buffers, so that the client meets the back-pressure of a server that reads no more.
            self._link.pause_reading()

    def _record(self) -> None:
        if self._fault is not None and self._request is not None:
            self._faults.record(self._fault, self._request)

    # What the server asks of the connection.

    def pause_reading(self) -> None:
        """Read no more from the client, as the server wishes."""
        self._is_paused_by_server = True
        self._link.pause_reading()

    def resume_reading(self) -> None:
        """Read from the client again, unless bytes are held."""
        self._is_paused_by_server = False
        self._settle()

    def close(self) -> None:
        """Close in good order once nothing is held any more."""
        # With `Connection: close` the server closes behind its answer; what is dripping or stalled must go out before.
        self._is_closing = True
        if not self._down.is_holding:
            self._link.close()

    def _settle(self) -> None:
        """After a queue emptied: go on reading, and close if the server wanted that meanwhile."""
        if self._is_closing and not self._down.is_holding:
            self._link.close()
        # Two may have paused the socket, the server and a fault; it is read again when neither wants it paused.
        if not self._is_paused_by_server and not self._up.is_holding and not self._link.is_closing():
            self._link.resume_reading()
