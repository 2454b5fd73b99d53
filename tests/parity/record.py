"""Write tests/wire: what the vendor's SDK sends, one file per endpoint and status. Run it when the table changes.

    python -m tests.parity.record

The unit tests read these files, so that they need neither the vendor's SDK nor a server. Here belongs the form of
the files; the requests come from the table, the answers from `answers.py`. A file part's `content` is latin-1.
"""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

from . import answers, sides
from .conftest import make_files
from .recorder import Exchange, Recorder
from .table import ROWS

WIRE: Final = Path(__file__).parent.parent / "wire"
SOURCE: Final = f"picsellia {sides.VENDOR_VERSION}, recorded by tests/parity/record.py"
HOST: Final = "http://recorder"
SHOWN: Final = 2
"""Items of a list that a file keeps."""

Files = dict[str, dict[str, Any]]


def record(recorder: Recorder, client: Any, names: sides.Names, files: dict[str, Path]) -> Files:
    """Run every row on the vendor's side and return file name -> content."""
    found: dict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)

    def note(row: str, exchange: Exchange) -> None:
        written = _written(exchange, recorder.url)
        exchanges = found[exchange.answer.endpoint, exchange.answer.status]
        same = [seen for seen in exchanges if seen["request"] == written["request"]]
        if not same:
            exchanges.append({"rows": [row], **written})
        elif not exchange.is_login:
            same[0]["rows"].append(row)

    recorder.take()
    names.Client(answers.API_TOKEN, host=recorder.url, organization_name="my org")
    for exchange in recorder.take():
        note("connect", exchange)
    for row in ROWS:
        scope = {"client": client, "api": names, "deployment_name": row.deployment, **files}
        sides.call_vendor(row.call, scope, lambda: _forget_all_but_logins(recorder))
        for exchange in recorder.take():
            note(row.name, exchange)
    return {
        f"{endpoint}_{status}.json": {
            "source": SOURCE,
            "endpoint": endpoint,
            "status": status,
            "exchanges": exchanges,
        }
        for (endpoint, status), exchanges in found.items()
    }


def _forget_all_but_logins(recorder: Recorder) -> None:
    recorder.journal = [exchange for exchange in recorder.take() if exchange.is_login]


def _written(exchange: Exchange, url: str) -> dict[str, Any]:
    names = ("authorization", "content-type", "x-picsellia-organization")
    headers = {name: exchange.header(name) for name in names if exchange.header(name)}
    request: dict[str, Any] = {
        "service": exchange.service,
        "verb": exchange.verb,
        "path": exchange.path,
        "query": [list(pair) for pair in exchange.query],
        "headers": headers,
    }
    if exchange.media_type == "multipart/form-data":
        headers["content-type"] = "multipart/form-data"
        request["parts"] = [
            {
                "name": part.name,
                "filename": part.filename,
                "content_type": part.content_type,
                "content": part.content.decode("latin-1" if part.filename else "utf-8"),
            }
            for part in exchange.parts
        ]
    elif exchange.body:
        request["json"] = exchange.json
    content = exchange.answer.content.decode().replace(url, HOST)
    answer = json.loads(content) if content else None
    if isinstance(answer, dict) and len(answer.get("items", ())) > SHOWN:
        answer["items"] = answer["items"][:SHOWN]  # a page of 1000 equal items; `count` keeps the number
    return {"request": request, "answer": {"status": exchange.answer.status, "json": answer}}


def text(content: dict[str, Any]) -> str:
    """Return a file's text: stable, and readable in a diff."""
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    """Record, and replace the directory's files."""
    names = sides.vendor_names()
    recorder = Recorder()
    recorder.start()
    client = names.Client(answers.API_TOKEN, host=recorder.url)
    with tempfile.TemporaryDirectory() as directory:
        files = record(recorder, client, names, make_files(Path(directory)))
    recorder.stop()
    WIRE.mkdir(exist_ok=True)
    for stale in WIRE.glob("*.json"):
        stale.unlink()
    for name, content in files.items():
        (WIRE / name).write_text(text(content), encoding="utf-8")


if __name__ == "__main__":
    main()
