"""What the pages share: the frame of a page, its looks, tables. Every text of a client is escaped here or where it is put in."""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import Final

_CSS: Final = """
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 20%, transparent) }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 80rem; margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere }
table { border-collapse: collapse; width: 100%; margin: 1rem 0 2rem } caption { text-align: left; font-weight: 600 }
td, th { padding: .2rem .6rem; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line) }
th { overflow-wrap: normal } td:not(:last-child) { min-width: 6em }
td.number { font-variant-numeric: tabular-nums }
p.totals span { display: inline-block; margin-right: 2rem } b { font-size: 1.4rem }
ul.grid { list-style: none; padding: 0; display: grid; align-items: start; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(min(17rem, 100%), 1fr)) }
ul.grid a { color: inherit; text-decoration: none; display: block; border: 1px solid var(--line); border-radius: .5rem; overflow: hidden }
ul.grid a:hover, ul.grid a:focus-visible { outline: 2px solid Highlight }
ul.grid strong, ul.grid span { display: block; padding: 0 .6rem; font-size: .85rem } ul.grid strong { padding-top: .4rem }
ul.grid span { opacity: .75 } ul.grid span:last-child { padding-bottom: .4rem }
.picture { position: relative; background: #8883 }
.picture img { display: block; width: 100%; height: auto }
.picture svg { position: absolute; inset: 0; width: 100%; height: 100%; overflow: visible }
ul.grid .picture { overflow: hidden }
.picture polygon, .picture polyline, .picture circle { stroke: var(--c); stroke-width: 2.5; vector-effect: non-scaling-stroke;
  fill: color-mix(in srgb, var(--c) 14%, transparent) }
.picture polyline { fill: none } .picture circle { fill: var(--c) } .picture circle.hidden { fill: none }
.picture path.mask { fill: color-mix(in srgb, var(--c) 50%, transparent) }
.picture g:hover > * { fill-opacity: .45 } .picture g:hover > text { fill-opacity: 1 }
.picture text { fill: #fff; stroke: #000c; stroke-width: .18em; paint-order: stroke; font-weight: 600 }
.picture p { position: absolute; left: .4rem; top: .4rem; margin: 0 }
.picture em { background: #000a; color: #fff; border-left: .3rem solid var(--c); padding: 0 .4rem; margin-right: .3rem; font-style: normal }
"""

_DOCUMENT: Final = """<!doctype html><html lang="en"><head><meta charset="utf-8">{refresh}
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,"><title>{title}</title><style>{style}</style></head>
<body>{body}</body></html>
"""


def document(title: str, body: str, *, refresh: int | None = None) -> str:
    """Return a page.

    Args:
        title: As a text.
        body: As HTML.
        refresh: Seconds after which it loads itself anew; None: never.
    """
    reload = "" if refresh is None else f'<meta http-equiv="refresh" content="{refresh}">'
    return _DOCUMENT.format(refresh=reload, title=html.escape(title), style=_CSS, body=body)


def table(caption: str, header: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    """Return a table of texts and numbers."""
    head = "".join(f"<th>{html.escape(name)}</th>" for name in header)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f"<table><caption>{html.escape(caption)}</caption><tr>{head}</tr>{body}</table>"


def _cell(value: object) -> str:
    attribute = ' class="number"' if isinstance(value, int) else ""
    return f"<td{attribute}>{html.escape(str(value))}</td>"
