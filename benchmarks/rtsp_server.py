"""An RTSP server whose pictures tell when they were made, and which loses packets. For the system's Python with GStreamer.

    /usr/bin/python3 benchmarks/rtsp_server.py PORT LOSS

Debian: python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base -good -ugly. Streams: /h264-5, /h264-25, /jpeg-5, /jpeg-25. Of
their RTP packets a share of LOSS is dropped, after they got their numbers: to the client it is a network that loses them. A line
`freeze SECONDS` on stdin stops the pictures for so long; `ready` on stdout tells that it serves.
"""

from __future__ import annotations

import sys
import threading
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402 - versions are chosen first

WIDTH, HEIGHT = 640, 368
BITS = 44
CELL = 14
CODE_ROWS = 32
RATES = (5, 25)
TAILS = {
    "h264": "x264enc tune=zerolatency speed-preset=ultrafast key-int-max={rate} bitrate=2000 ! rtph264pay pt=96 config-interval=1",
    "jpeg": "jpegenc ! rtpjpegpay pt=26",
}

frozen_until = 0.0


def picture(now: float) -> bytes:
    """Milliseconds of the epoch as a row of black and white cells; below, a pattern that moves."""
    code = int(now * 1000) & ((1 << BITS) - 1)
    cells = [b"\xd0" if code >> bit & 1 else b"\x20" for bit in range(BITS)]
    row = b"".join(cell * CELL for cell in cells).ljust(WIDTH, b"\x40")
    moving = bytes((int(now * 100) + 3 * x) & 0x7F for x in range(WIDTH))
    return row * CODE_ROWS + moving * (HEIGHT - CODE_ROWS) + b"\x80" * (WIDTH * HEIGHT // 2)


class Factory(GstRtspServer.RTSPMediaFactory):
    def __init__(self, rate: int, tail: str) -> None:
        super().__init__()
        self.rate, self.tail = rate, tail
        self.set_shared(True)

    def do_create_element(self, url):
        return Gst.parse_launch(
            f"( appsrc name=pictures is-live=true do-timestamp=true format=time max-buffers=4 leaky-type=downstream "
            f"caps=video/x-raw,format=I420,width={WIDTH},height={HEIGHT},framerate={self.rate}/1 ! {self.tail} )"
        )

    def do_configure(self, media):
        source = media.get_element().get_by_name("pictures")
        threading.Thread(target=self.push, args=(source,), daemon=True).start()

    def push(self, source):
        due = time.monotonic()
        while True:
            due = max(due + 1 / self.rate, time.monotonic())
            time.sleep(max(0.0, due - time.monotonic()))
            if time.monotonic() < frozen_until:
                continue
            if source.emit("push-buffer", Gst.Buffer.new_wrapped(picture(time.time()))) != Gst.FlowReturn.OK:
                return


def obey() -> None:
    global frozen_until  # noqa: PLW0603 - a script
    for line in sys.stdin:
        if line.startswith("freeze "):
            frozen_until = time.monotonic() + float(line.split()[1])


def main(port: str, loss: str) -> None:
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_service(port)
    server.set_address("127.0.0.1")
    for codec, tail in TAILS.items():
        for rate in RATES:
            lossy = f"{tail.format(rate=2 * rate)} ! identity name=pay0 drop-probability={loss}"
            server.get_mount_points().add_factory(f"/{codec}-{rate}", Factory(rate, lossy))
    server.attach(None)
    threading.Thread(target=obey, daemon=True).start()
    print("ready", flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main(*sys.argv[1:])
