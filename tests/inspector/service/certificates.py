"""Certificates for tests of TLS, made on the spot."""

from __future__ import annotations

import ssl
from functools import cache
from pathlib import Path

import trustme

from inspector.service.tls import open_context

__all__ = ("client_context", "server_context", "server_files")


@cache
def _authority() -> trustme.CA:
    return trustme.CA()


@cache
def _certificate() -> trustme.LeafCert:
    return _authority().issue_cert("localhost", "127.0.0.1", "::1")


def server_files(folder: Path) -> tuple[Path, Path]:
    """Write a certificate and its key; return where."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    cert.write_bytes(b"".join(blob.bytes() for blob in _certificate().cert_chain_pems))
    key.write_bytes(_certificate().private_key_pem.bytes())
    return cert, key


def server_context(folder: Path) -> ssl.SSLContext:
    """Make the context of a host, as its command line makes it."""
    return open_context(*server_files(folder))


def client_context(*, trusting: bool = True) -> ssl.SSLContext:
    """Make the context of a client that trusts the certificate, or one that does not."""
    context = ssl.create_default_context()
    if trusting:
        _authority().configure_trust(context)
    return context
