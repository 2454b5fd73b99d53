"""A certificate that the emulator makes itself, and the authority that signed it, which clients are told to trust."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs

from picsellia_async.errors import ConfigurationError

if TYPE_CHECKING:
    from trustme import CA

_LOCAL: Final = ("localhost", "127.0.0.1", "::1")
"""Names under which a machine reaches itself."""


@attrs.frozen
class SelfSigned:
    """Files of a certificate that no public authority signed."""

    ca: Path
    """Certificate of the authority (PEM): what clients trust."""
    certificate: Path
    """Certificate of the server, with its chain."""
    key: Path
    """Its private key."""


def self_signed(folder: Path, names: Iterable[str]) -> SelfSigned:
    """Make a certificate for this machine; the authority of an earlier run in this folder stays, so that clients trust it still.

    Args:
        folder: Where the files are, made if it is not there.
        names: Further host names and addresses that the certificate is for.

    Raises:
        ConfigurationError: The extra is not installed, or the files of an earlier run cannot be used.
        OSError: The folder cannot be written.
    """
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
    return _issued(authority, folder, dict.fromkeys((*_LOCAL, *names)))


def _issued(authority: CA, folder: Path, names: Iterable[str]) -> SelfSigned:
    leaf = authority.issue_cert(*names)
    found = SelfSigned(folder / "ca.pem", folder / "server.pem", folder / "server.key")
    _write(found.key, leaf.private_key_pem.bytes())
    _write(found.certificate, b"".join(pem.bytes() for pem in leaf.cert_chain_pems))
    return found


def _write(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read; whole or not at all."""
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, opened above with its mode
        file.write(content)
    part.replace(path)
