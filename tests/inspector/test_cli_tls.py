"""``inspector-host`` with a certificate: what it says, who can talk to it, and what is said of files that are none."""

from __future__ import annotations

import os
import resource
import signal
from pathlib import Path

import pytest
from click.testing import CliRunner
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from inspector import cli
from inspector.cli.serving import raise_descriptor_limit
from protocol.dialects.cbor import CBOR
from protocol.messages import Init
from tests.inspector.host_process import HostProcess
from tests.inspector.service.certificates import client_context, server_files

__all__ = ()


def _environment(folder: Path) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("INSPECTOR_")}
    (folder / "hosts").mkdir(mode=0o700)
    return {**clean, "XDG_RUNTIME_DIR": str(folder / "hosts")}


@pytest.mark.parametrize("by", ["options", "environment", "one file"])
def test_a_host_with_tls_on_all_addresses(tmp_path: Path, by: str) -> None:
    cert, key = server_files(tmp_path)
    env = _environment(tmp_path)
    arguments = ["demo", "--host", "0.0.0.0", "--port", "0", "--log-format", "json"]
    if by == "options":
        arguments += ["--tls-cert", str(cert), "--tls-key", str(key)]
    elif by == "environment":
        env |= {"INSPECTOR_TLS_CERT": str(cert), "INSPECTOR_TLS_KEY": str(key)}
    else:
        cert.write_bytes(cert.read_bytes() + key.read_bytes())
        arguments += ["--tls-cert", str(cert)]
    host = HostProcess(*arguments, cwd=tmp_path, env=env)
    with host.process:
        try:
            url = host.until("inspector listening")["fields"]["url"]
            assert url.startswith("https://0.0.0.0:")
            runtime = host.runtime()
            assert runtime["url"] == url
            with connect(
                url.replace("https", "wss").replace("0.0.0.0", "localhost") + "/inspector/connect",
                ssl=client_context(),
                subprotocols=[Subprotocol(CBOR.subprotocol)],
                additional_headers={"Authorization": f"Bearer {runtime['token']}"},
                proxy=None,
            ) as websocket:
                init = CBOR.decode_to_client(websocket.recv(decode=False))
                assert isinstance(init, Init)
                assert init.host.id == runtime["host_id"]
            code, _, err = host.end(signal.SIGTERM)
            assert (code, err) == (0, b"")
        finally:
            host.process.kill()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--tls-key", "key.pem"), "--tls-key without --tls-cert"),
        (("--tls-cert", "none.pem", "--tls-key", "key.pem"), "no TLS with none.pem and key.pem: No such file"),
        (("--tls-cert", "cert.pem", "--tls-key", "cert.pem"), "no TLS with cert.pem and cert.pem: "),
        (("--tls-cert", "cert.pem"), "no TLS with cert.pem: "),
        (("--host", "0.0.0.0"), "without TLS that needs --insecure-bind"),
    ],
)
def test_what_can_not_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    server_files(tmp_path)
    result = CliRunner(env={"INSPECTOR_TLS_CERT": None, "INSPECTOR_TLS_KEY": None}).invoke(
        cli.main, ["demo", "--port", "0", *arguments], prog_name="inspector-host"
    )
    assert result.exit_code == 2
    assert said in result.output


@pytest.mark.parametrize(("soft", "expected"), [(256, 4096), (5000, 5000)])
def test_a_host_takes_the_file_descriptors_that_it_needs(soft: int, expected: int) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if before[1] != resource.RLIM_INFINITY and before[1] < 5000:
        pytest.skip("this process may not have so many")
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, before[1]))
        raise_descriptor_limit()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (expected, before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
