"""`Secrets`: finds in any text what nobody may read there: planted values, and what has the form of a secret."""

from __future__ import annotations

import base64
import re
from urllib.parse import quote

import attrs

FORMS = {
    "a JWT": re.compile(r"(?<=[\w-]{8})\.eyJ[\w-]{8,}\.[\w-]{8,}"),
    "a bearer token": re.compile(r"Bearer (?!\.\.\.|<|token\b|\{)[\w.~+/-]{8,}", re.IGNORECASE),
    "an image in base64": re.compile(r"(?:/9j/|iVBORw0KGgo)[A-Za-z0-9+/]{24,}"),
    "a password of an address": re.compile(r"\b[a-z][a-z0-9+.-]{0,30}://[^\s/:@'\"]+:(?!\*+@|\.\.\.@)[^\s/@'\"{]+@", re.IGNORECASE),
    "a signature of a presigned address": re.compile(r"[?&](?:X-Amz-Signature|signature|sig)=(?!REDACTED)[\w%-]{8,}", re.IGNORECASE),
}  # fmt: skip
"""What a secret looks like."""


@attrs.define
class Secrets:
    """The scanner. `plant` tells values that must appear nowhere; `scan` collects where something did."""

    planted: dict[str, bytes] = attrs.field(factory=dict)
    """What is looked for, by what it is called."""
    found: list[str] = attrs.field(factory=list)
    """Where something was."""
    scanned: int = 0
    """Bytes looked at, so that a scan of nothing does not pass for one."""

    def plant(self, name: str, value: str | bytes) -> None:
        """Look for a value as it is, in base64, and as a URL spells it."""
        raw = value.encode() if isinstance(value, str) else value
        self.planted[name] = raw
        if isinstance(value, str):
            self.planted[f"{name}, quoted"] = quote(value, safe="").encode()
        # The middle of its base64, which does not depend on its neighbours only from a multiple of three on.
        for shift in range(3):
            code = base64.b64encode(bytes(shift) + raw)[4:-4]
            if len(code) >= 12:
                self.planted[f"{name}, in base64 ({shift})"] = code[:64]

    def scan(self, where: str, content: str | bytes, *, forms: bool = True) -> None:
        """Look at a text, or at the bytes of a file."""
        raw = content.encode("utf-8", "replace") if isinstance(content, str) else content
        self.scanned += len(raw)
        self.found += [f"{where}: {name}" for name, value in self.planted.items() if value in raw]
        if forms:
            text = raw.decode("latin-1")
            self.found += [f"{where}: {name}: {hit.group()[:60]}" for name, form in FORMS.items() if (hit := form.search(text))]  # fmt: skip
