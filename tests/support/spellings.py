"""How a host may spell the token that it echoes, and whether a text still holds a good part of it."""

from __future__ import annotations

import base64
import html
import json
import re
from urllib.parse import quote, unquote


def _numbers(form: str, text: str) -> str:
    return "".join(form % ord(one) for one in text)


def spellings(token: str) -> dict[str, str]:
    """Return bodies that hold a token, by how they spell it."""
    return {
        "as it is": token,
        "in capitals": token.upper(),
        "between slashes": f"/api/{token}/monitor",
        "behind percent signs": f"Authorization%3A%20Api-Token%20{token}",
        "a form": quote(json.dumps({"api_token": token})),
        "a form in a form": quote(quote(json.dumps({"api_token": token}))),
        "all percent signs": _numbers("%%%02X", token),
        "JSON's line end before it": json.dumps({"detail": f"unknown token\n{token}\tof you"}),
        "quotation marks as numbers": '{"detail":"\\u0022' + token + '\\u0022"}',
        "an equals sign as a number": '{"detail":"api_token\\u003D' + token + '"}',
        "numbers of JSON": json.dumps({"detail": _numbers("\\u%04x", token)}).replace("\\\\", "\\"),
        "JSON in JSON": json.dumps(json.dumps({"detail": _numbers("\\u%04x", token)})),
        "numbers of HTML": _numbers("&#%d;", token),
        "hexadecimal numbers of HTML": _numbers("&#x%x;", token),
        "bytes in hexadecimal": token.encode().hex(),
        "base64": base64.b64encode(token.encode()).decode(),
        "base64 behind a letter": base64.b64encode(f"x{token}".encode()).decode(),
        "base64 of a header": base64.urlsafe_b64encode(f"Api-Token {token}".encode()).decode(),
        "broken in two": f"{token[:20]}\n{token[20:]}",
        "broken in two, in JSON": json.dumps({"detail": f"{token[:20]}\r\n{token[20:]}"}),
        "quoted printable": f"{token[:30]}=\r\n{token[30:]}",
        "two halves": json.dumps({"first": token[:20], "second": token[20:]}),
        "cut": token[:36],
        "UTF-16": token.encode("utf-16-le").decode("ascii"),
        "two codings around each other": quote(_numbers("\\u%04x", token)),
    }


def _plainly(text: str) -> str:
    """Return a text as a reader may decode it."""
    for _ in range(4):
        text = unquote(html.unescape(text))
        text = re.sub(r"\\+u00(..)", lambda found: chr(int(found[1], 16)), text)
        text = re.sub(r"\\+[nrt]|[\s\0]", "", text)
    return text.lower()


def holds_a_part(text: str, token: str) -> bool:
    """Return whether twelve characters of a token in a row can be read in a text."""
    read = _plainly(text)
    found = {read, *(bytes.fromhex(one).decode("latin-1") for one in re.findall("(?:[0-9a-f]{2})+", read))}
    for one in re.findall(r"[A-Za-z0-9_+/-]+", text):
        word = one[: len(one) // 4 * 4].translate(str.maketrans("-_", "+/"))
        found.add(base64.b64decode(word).decode("latin-1"))
    return any(token[start : start + 12] in one for one in found for start in range(len(token) - 11))
