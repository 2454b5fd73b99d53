"""An emulator over HTTPS with a certificate that it made: who trusts its authority gets through, nobody else."""

from __future__ import annotations

import ssl
import stat
from pathlib import Path

import httpx
import pytest

from picsellia_async import AsyncClient, PicselliaError
from picsellia_async.emulator import Emulator
from picsellia_async.errors import ConfigurationError

pytestmark = pytest.mark.anyio


async def test_who_trusts_the_authority_gets_through():
    async with Emulator(tls="self-signed") as emulator:
        assert emulator.url.startswith("https://127.0.0.1:")
        assert emulator.ca_file is not None
        trusted = ssl.create_default_context(cafile=emulator.ca_file)
        for host in (emulator.url, f"https://localhost:{emulator.port}"):
            async with AsyncClient(emulator.api_token, host=host, verify=trusted) as client:
                assert (await client.get_deployment(emulator.deployment_name)).name == emulator.deployment_name
        path = emulator.ca_file
    assert not path.exists(), "without a data directory nothing is left behind"


async def test_nobody_else_does():
    """In a thread: the event loop of who is not trusted reports that as an error of its own."""
    with Emulator.run_in_thread(tls="self-signed") as emulator:
        assert emulator.ca_file is not None
        with pytest.raises(PicselliaError, match="CERTIFICATE_VERIFY_FAILED"):
            async with AsyncClient(emulator.api_token, host=emulator.url) as client:
                await client.get_deployment(emulator.deployment_name)


async def test_the_authority_of_a_data_directory_stays(tmp_path: Path):
    """A client that was told to trust it needs no word after a restart; the keys are the owner's alone."""
    async with Emulator(data_dir=tmp_path, tls="self-signed") as emulator:
        first = emulator.ca_file.read_bytes()
    async with Emulator(data_dir=tmp_path, tls="self-signed", public_url="https://emulator.internal:8765") as emulator:
        assert emulator.ca_file == tmp_path / "tls" / "ca.pem"
        assert emulator.ca_file.read_bytes() == first
        trusted = ssl.create_default_context(cafile=emulator.ca_file)
        async with httpx.AsyncClient(verify=trusted, trust_env=False) as client:
            url = f"https://127.0.0.1:{emulator.port}/emulator/health/live"
            answer = await client.get(
                url, headers={"host": "emulator.internal"}, extensions={"sni_hostname": "emulator.internal"}
            )
        assert answer.json() == {"status": "ok"}
    assert {stat.S_IMODE(one.stat().st_mode) for one in (tmp_path / "tls").iterdir()} == {0o600}


async def test_an_authority_that_cannot_be_read_is_told(tmp_path: Path):
    (tmp_path / "tls").mkdir()
    for name in ("ca.pem", "ca.key"):
        (tmp_path / "tls" / name).write_bytes(b"no such thing")
    with pytest.raises(ConfigurationError, match=r"remove both, and new ones are made"):
        await Emulator(data_dir=tmp_path, tls="self-signed").start()


@pytest.mark.parametrize("tls", ["self signed", Path("pair.pem"), ("only.pem",)])
def test_what_names_no_two_files_is_refused(tls):
    with pytest.raises(ConfigurationError, match="tls must be the files of certificate and key, or 'self-signed'"):
        Emulator(tls=tls)
