"""How a host may spell the image that it echoes, and how much of it can still be read in a text."""

from __future__ import annotations

import base64
import html
import json
import quopri
import re
from urllib.parse import quote, unquote

REASON = "the box is wrong"


def _cut(text: str, width: int) -> list[str]:
    return [text[at : at + width] for at in range(0, len(text), width)]


def image_spellings(content: bytes) -> dict[str, bytes]:
    """Return bodies that hold an image beside `REASON`, by how they spell it."""
    code = base64.b64encode(content).decode()
    body = json.dumps({"filename": "a.jpg", "image": code})
    texts = {
        "as it is": code,
        "percent signs": quote(body, safe=""),
        "percent signs in percent signs": quote(quote(body, safe=""), safe=""),
        "all percent signs": "".join(f"%{ord(one):02x}" for one in body),
        "numbers of HTML": "".join(f"&#{ord(one)};" for one in body),
        "signs as numbers of HTML": code.replace("/", "&#x2F;").replace("+", "&#43;"),
        "broken by HTML": "<wbr>".join(_cut(code, 10)),
        "lines of HTML": " <br>".join(_cut(code, 40)),
        "spaces": " ".join(_cut(code, 4)),
        "quoted lines": "\n".join(f"> {one}" for one in _cut(code, 76)),
        "numbered lines": "\n".join(f"{number:04}: {one}" for number, one in enumerate(_cut(code, 24))),
        "colours of a terminal": "\x1b[0m".join(_cut(code, 12)),
        "base64 of addresses": code.replace("/", "_").replace("+", "-"),
        "quoted printable": quopri.encodestring(body.encode()).decode(),
        "hexadecimal": content.hex(),
        "hexadecimal with spaces": content.hex(" "),
        "hexadecimal of its middle": content[700:1500].hex(":"),
        "xxd": "\n".join(f"{at:08x}: {content[at : at + 16].hex(' ', -2)}" for at in range(0, len(content), 16)),
        "hexdump -C of the request": "\n".join(
            f"{at * 16:08x}  {one.encode().hex(' ')}  |{one}|" for at, one in enumerate(_cut(body, 16))
        ),
        "bytes of Python": repr(content),
        "a part of its middle": code[500:540],
        "both ends": f"input_value='{code[:20]}...{code[-24:]}'",
        "bytes in base64, behind a letter": " ".join(_cut(base64.b64encode(b"x" + content).decode(), 20)),
    }
    objects = {
        "JSON": {"message": REASON, "image": code},
        "an item of JSON": {"detail": [{"msg": REASON, "input": {"filename": "a.jpg", "image": code}}]},
        "JSON in JSON": {"message": REASON, "detail": json.dumps({"request": body.replace("/", "\\/")})},
        "pieces in JSON": {"message": REASON, "parts": _cut(code, 30)},
        "letters in JSON": {"message": REASON, "raw": content.decode("latin-1")},
        "a list of bytes": {"message": REASON, "raw": list(content[40:])},
    }
    spelled = {name: f"{REASON}: {text}\n".encode() for name, text in texts.items()}
    spelled |= {name: json.dumps(value).encode() for name, value in objects.items()}
    spelled["letters in JSON, in UTF-8"] = json.dumps(objects["letters in JSON"], ensure_ascii=False).encode()
    spelled["slashes of JSON"] = json.dumps(objects["JSON"]).replace("/", "\\/").encode()
    spelled["numbers of JSON"] = b'{"message":"%b","image":"%b"}' % (
        REASON.encode(),
        "".join(f"\\u{ord(one):04x}" for one in code).encode(),
    )
    spelled["its bytes"] = REASON.encode() + b"\r\n\r\n" + content + b"\r\n--x"
    return spelled


def part_read(told: bytes | str, content: bytes) -> float:
    """Return how much of an image can be read in what was told, from 0 to 1: by sixteen letters of its base64, or eight bytes of it."""
    text = told if isinstance(told, str) else told.decode("latin-1")
    code = re.sub("[^A-Za-z0-9]", "", base64.b64encode(content).decode())
    shifted = re.sub("[^A-Za-z0-9]", "", base64.b64encode(b"x" + content).decode())
    readings = []
    for _ in range(4):
        readings.append(text)
        read = unquote(html.unescape(text), "latin-1")
        text = re.sub(r"\\+(?:u00|x)([0-9a-f]{2})", lambda found: chr(int(found[1], 16)), read)
    texts, raw = set(), set()
    for one in readings:
        plain = re.sub(r"<[a-z/]*>|\x1b\[[0-9;]*m|\\+[nr]|[^A-Za-z0-9]", "", one)
        texts |= {plain[at : at + 16] for at in range(len(plain) - 15)}
        digits = re.sub("[^0-9a-f]", "", one)
        data = [
            one.encode("latin-1", "ignore"),
            *(bytes.fromhex(digits[at:][: len(digits[at:]) // 2 * 2]) for at in (0, 1)),
        ]
        data.append(one.encode("latin-1", "ignore").decode("utf-8", "ignore").encode("latin-1", "ignore"))
        data += [bytes(int(number) % 256 for number in re.findall(r"\d+", one))]
        raw |= {part[at : at + 8] for part in data for at in range(len(part) - 7)}
        for part in data[1:]:
            plain = re.sub("[^A-Za-z0-9]", "", part.decode("latin-1"))
            texts |= {plain[at : at + 16] for at in range(len(plain) - 15)}
    counts = [[one[at : at + 16] in texts for at in range(0, len(one) - 16, 4)] for one in (code, shifted)]
    counts.append([content[at : at + 8] in raw for at in range(0, len(content) - 8, 4)])
    return max(sum(one) / len(one) for one in counts)
