"""How a host may spell the token that it echoes, and whether a text still holds a good part of it."""

from __future__ import annotations

import base64
import html
import json
import re
import unicodedata
from urllib.parse import quote, unquote


def _numbers(form: str, text: str) -> str:
    return "".join(form % ord(one) for one in text)


def _rows(form: str, text: str, between: str = "\n", width: int = 16) -> str:
    """Return a text in rows: `{at}` is where one begins, `{text}` what is in it, `{bytes}` its bytes, `{pairs}` those by twos."""
    rows = []
    for at in range(0, len(text), width):
        row = text[at : at + width]
        raw = row.encode()
        rows.append(form.format(at=at, text=row, bytes=raw.hex(" "), pairs=raw.hex(" ", -2)))
    return between.join(rows)


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
        "broken by what is no letter": " + ".join(f'"{token[start : start + 7]}"' for start in range(0, len(token), 7)),
        "broken by HTML": "<wbr>".join(token),
        "invisible characters": "\u200b".join(token),
        "wide letters": "".join(chr(ord(one) + 0xFEE0) for one in token),
        "a list of bytes": str(list(token.encode())),
        "a list of bytes in hexadecimal": ", ".join(f"0x{one:02x}" for one in token.encode()),
        "the same in capitals": "{" + ",".join(f"0X{one:02X}" for one in token.encode()) + "}",
        "hexadecimal with colons": token.encode().hex(":"),
        "numbers of HTML without their end": _numbers("&#%d", token),
        "HTML in HTML": _numbers("&amp;#%d;", token),
        "numbers of Python": _numbers("\\U%08x", token),
        "numbers of JavaScript": _numbers("\\u{%x}", token),
        "octal numbers": _numbers("\\%03o", token),
        "percent signs of old": _numbers("%%u%04x", token),
        "UTF-16": token.encode("utf-16-le").decode("ascii"),
        "hexdump -C": _rows("{at:08x}  {bytes}  |{text}|", token),
        "xxd": _rows("{at:08x}: {pairs}  {text}", token),
        "numbered lines": _rows("{at:04}: {text}", token),
        "numbered lines of 12": _rows("line {at}: {text}", token, width=12),
        "soft hyphens of HTML": _rows("{text}", token, "&shy;", 9),
        "soft hyphens of HTML in HTML": _rows("{text}", token, "&amp;shy;", 9),
        "colours of a terminal": _rows("{text}", token, "\x1b[0m\x1b[31m", 7),
        "colours of a terminal, in JSON": json.dumps({"detail": _rows("{text}", token, "\x1b[0m\x1b[31m", 7)}),
        "two codings around each other": quote(_numbers("\\u%04x", token)),
    }


def _plainly(text: str) -> str:
    """Return a text as a reader may decode it, without what is no letter or digit."""
    text = re.sub(r"(?:\x1b|\\+u001b)\[[0-9;]*m", "", text)
    for _ in range(4):
        text = unquote(html.unescape(text))
        text = re.sub(r"(?:%|\\+)[uUx]\{?0*([2-7][0-9a-f])\}?", lambda found: chr(int(found[1], 16)), text)
        text = re.sub(r"\\+([01][0-7]{2})", lambda found: chr(int(found[1], 8)), text)
        text = re.sub(r"\\+[nrt]|<wbr>|\b0[xX](?=[0-9a-fA-F]{2}\b)", "", text)
    return re.sub("[^a-z0-9]", "", unicodedata.normalize("NFKC", text).lower())


def holds_a_part(text: str, token: str) -> bool:
    """Return whether twelve characters of a token in a row can be read in a text."""
    read = _plainly(text)
    found = {read, *(bytes.fromhex(one).decode("latin-1") for one in re.findall("(?:[0-9a-f]{2})+", read))}
    found.add(re.sub(r"\b(\d{2,3})\b[, ]*", lambda number: chr(int(number[1]) % 256), text))
    for one in re.findall(r"[A-Za-z0-9_+/-]+", text):
        word = one[: len(one) // 4 * 4].translate(str.maketrans("-_", "+/"))
        found.add(base64.b64decode(word).decode("latin-1"))
    plain = {re.sub("[^a-z0-9]", "", one.lower()) for one in found}
    value = re.sub("[^a-z0-9]", "", token.lower())
    return any(value[start : start + 12] in one for one in plain for start in range(len(value) - 11))
