"""Whether what is said about data besides its pixels, names of tags and sources and a directory, can be meant. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from picsellia_async.errors import ImplausibleError, shown


def check_labels_of_data(tags: Iterable[str], source: str | None, upload_dir: str | None) -> None:
    """Refuse names of tags and sources that nobody can see, and a directory that leads out of its own. Empty is "none", as the vendor sends it.

    Raises:
        ImplausibleError: There is one.
    """
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
    if ".." in directory.replace("\\", "/").split("/") or not directory.isprintable() or directory.isspace():
        raise ImplausibleError(
            f"upload_dir {shown(directory)} is no prefix of names: no part may be '..', and no character a control character; "
            'checks="off" sends it'
        )
