"""Whether what is said about data besides its pixels, names of tags and sources and a directory, can be meant. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Final

from picsellia_async._error_text import shown_name
from picsellia_async.errors import ImplausibleError, shown

_CONTROL: Final = '{name} has a control character, such as NUL or the end of a line, got {value}; checks="off" sends it'


def _has_control(name: str) -> bool:
    return not name.isprintable() and any(unicodedata.category(one) == "Cc" for one in name)


def check_labels_of_data(tags: Iterable[str], source: str | None, upload_dir: str | None) -> None:
    """Refuse names of tags and sources that nobody can see, and a directory that leads out of its own. Empty is "none", as the vendor sends it.

    Raises:
        ImplausibleError: There is one.
    """
    if source and _has_control(source):
        raise ImplausibleError(_CONTROL.format(name="source", value=shown(shown_name(source))))
    for i, tag in enumerate(tags := list(tags)):
        if _has_control(tag):
            raise ImplausibleError(_CONTROL.format(name=f"tags[{i}]", value=shown(shown_name(tag))))
    blank = [f"tags[{i}]" for i, tag in enumerate(tags) if not tag.strip()]
    if source and source.isspace():
        blank.append("source")
    if blank:
        raise ImplausibleError(f'{blank[0]} is blank: give a name, or leave it out; checks="off" sends it')
    check_upload_dir(upload_dir or "")


def check_upload_dir(directory: str) -> None:
    """Refuse a prefix of names in the storage that leads out of its own, or that nobody can see.

    Raises:
        ImplausibleError: It does.
    """
    if directory.isspace():
        raise ImplausibleError('upload_dir is blank: give a prefix of names, or leave it out; checks="off" sends it')
    if ".." in directory.replace("\\", "/").split("/") or not directory.isprintable():
        raise ImplausibleError(
            f"upload_dir {shown(shown_name(directory))} is no prefix of names: no part may be '..', and no character a control character; "
            'checks="off" sends it'
        )
