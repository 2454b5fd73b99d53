"""The certificate that the emulator serves with: files that are given, or that it makes, with an authority for clients to trust."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Literal, TypeAlias

from picsellia_async.errors import ConfigurationError, shown

Tls: TypeAlias = tuple[str | Path, str | Path] | Literal["self-signed"]
"""Files of certificate and private key, or that they are to be made."""

_LOCAL: Final = ("localhost", "127.0.0.1", "::1")
"""Names under which a machine reaches itself."""


class TlsFiles:
    """The files of one emulator."""

    def __init__(self, tls: Tls) -> None:
        """Take what is given; nothing is read or made yet.

        Raises:
            ConfigurationError: It is neither two files nor "self-signed".
        """
        self._given: tuple[str, str] | None = None
        if tls != "self-signed":
            if isinstance(tls, (str, Path)) or len(tls) != 2:
                raise ConfigurationError(
                    f"tls must be the files of certificate and key, or 'self-signed', got {shown(tls)}"
                )
            self._given = str(tls[0]), str(tls[1])
        self.ca_file: Path | None = None
        """Certificate of the authority that signed one of its own; None: there is none (yet)."""

    async def open(
        self, directory: Path | None, names: Iterable[str | None], stack: contextlib.AsyncExitStack
    ) -> tuple[str, str]:
        """Return the files of certificate (with its chain) and key; those of its own are made here.

        Args:
            directory: Where they stay for the next run; None: they are removed at the end of `stack`.
            names: Further host names and addresses that the certificate is for; None is none.
            stack: Of what ends with the emulator.

        Raises:
            ConfigurationError: The extra is not installed, or the files of an earlier run cannot be used.
            OSError: The folder cannot be written.
        """
        if self._given is not None:
            return self._given
        if directory is None:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="picsellia-emulator-")))
        folder = directory / "tls"
        wanted = dict.fromkeys((*_LOCAL, *(name for name in names if name)))
        await asyncio.to_thread(_make, folder, wanted)
        self.ca_file = folder / "ca.pem"
        return str(folder / "server.pem"), str(folder / "server.key")


def _make(folder: Path, names: Iterable[str]) -> None:
    """Make a certificate; the authority of an earlier run in this folder stays, so that clients trust it still."""
    try:
        import trustme  # noqa: PLC0415 - an extra, imported on use
    except ImportError as error:
        raise ConfigurationError(
            "a certificate of its own needs the extra 'tls': pip install 'picsellia-async[tls]'"
        ) from error
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    ca_file, ca_key = folder / "ca.pem", folder / "ca.key"
    if ca_file.exists() and ca_key.exists():
        try:
            authority = trustme.CA.from_pem(ca_file.read_bytes(), ca_key.read_bytes())
        except ValueError as error:
            raise ConfigurationError(
                f"{ca_file} and {ca_key} are no certificate and its key ({error}): remove both, and new ones are made"
            ) from None
    else:
        authority = trustme.CA(organization_name="picsellia-async emulator")
        _write(ca_key, authority.private_key_pem.bytes())
        _write(ca_file, authority.cert_pem.bytes())
    leaf = authority.issue_cert(*names)
    _write(folder / "server.key", leaf.private_key_pem.bytes())
    _write(folder / "server.pem", b"".join(pem.bytes() for pem in leaf.cert_chain_pems))


def _write(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read; whole or not at all."""
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, opened above with its mode
        file.write(content)
    part.replace(path)
