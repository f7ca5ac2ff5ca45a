"""A host behind TLS, whose certificate is trusted or not."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import replace
from pathlib import Path

import pytest
import trustme
from click.testing import CliRunner

from protocol.script import parse_script
from tests.tui.host import TOKEN, ScriptedHost
from tui import cli
from tui.connection import CannotAttach, dial
from tui.discovery import Target, Wanted
from tui.exits import USAGE
from tui.script_link import play_script

AUTHORITY = trustme.CA()


def host_with_tls(names: str = "127.0.0.1") -> ScriptedHost:
    """Make a host whose certificate is for these names."""
    host = ScriptedHost()
    host.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    AUTHORITY.issue_cert(names).configure_cert(host.tls)
    return host


async def attach(host: ScriptedHost, target: Target) -> str:
    """Attach and say whom to, or why not."""
    try:
        async with dial(target) as connection:
            return connection.init.host.name
    except CannotAttach as exc:
        return str(exc)


def attached(host: ScriptedHost, ca: Path | None, **changes: str) -> str:
    async def run() -> str:
        await host.start()
        try:
            found = Wanted(host.url, TOKEN, ca=None if ca is None else str(ca)).resolve()
            return await attach(host, replace(found, **changes))
        finally:
            await host.stop()

    return asyncio.run(run())


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    AUTHORITY.cert_pem.write_to_path(str(path))
    return path


def test_a_certificate_that_is_trusted(ca: Path) -> None:
    assert attached(host_with_tls(), ca) == "demo"


def test_a_certificate_that_is_not(ca: Path) -> None:
    said = attached(host_with_tls(), None)
    assert "its certificate is not trusted: " in said
    assert "--ca FILE" in said


def test_a_certificate_of_another_host(ca: Path) -> None:
    assert "IP address mismatch" in attached(host_with_tls("elsewhere.example"), ca)


def test_a_file_that_is_gone_by_then(ca: Path, tmp_path: Path) -> None:
    assert "No such file" in attached(host_with_tls(), tmp_path / "gone.pem")


def test_tls_on_a_plain_port(ca: Path) -> None:
    host = ScriptedHost()

    async def run() -> str:
        await host.start()
        try:
            return await attach(host, Target(host.url.replace("http:", "https:"), TOKEN, ca=str(ca)))
        finally:
            await host.stop()

    # The host takes the beginning of TLS for a bad request; the answer or a reset is first.
    said = asyncio.run(run())
    assert "TLS failed" in said or "with TLS it is https" in said


@pytest.mark.parametrize(
    ("text", "said"), [(None, "No such file"), ("no certificate", "it holds no certificate"), ("", "")]
)
def test_the_option_is_checked_first(tmp_path: Path, text: str | None, said: str) -> None:
    path = tmp_path / "some.pem"
    if text is not None:
        path.write_text(text)
    result = CliRunner().invoke(cli.main, ["ps", "--url", "https://127.0.0.1:1", "--ca", str(path)])
    assert (result.exit_code == USAGE or not text, said in result.stderr) == (True, True)
    assert "Traceback" not in result.stderr


def test_a_script_trusts_whom_the_commands_trust(ca: Path) -> None:
    script = parse_script("tls.cbs", 'connect /inspector/connect\n<- {"type": "Init", ...}\ndisconnect')

    async def run(trusted: str | None) -> str:
        host = host_with_tls()
        await host.start()
        try:
            await play_script(script, Target(host.url, TOKEN, ca=trusted), "inspector.cbor.v1")
        except CannotAttach as exc:
            return str(exc)
        finally:
            await host.stop()
        return "played"

    assert asyncio.run(run(str(ca))) == "played"
    assert "TLS failed" in asyncio.run(run(None))
