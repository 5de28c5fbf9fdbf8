"""The certificate check, against a site on loopback with a certificate made by the test."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cli.status.certificates import Certificate, fetch_certificate

ENDS = datetime(2090, 1, 2, 3, 4, 5, tzinfo=UTC)


@dataclass
class Site:
    address: str
    trust: Path


def _pair(folder: Path, ends: datetime) -> Path:
    """A key and a certificate for localhost, signed by itself, in one file."""
    key, name = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]),
    )
    made = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key(), serial_number=1)
        .not_valid_before(datetime(2019, 1, 1, tzinfo=UTC))
        .not_valid_after(ends)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / "pair.pem"
    path.write_bytes(key.private_bytes(*form) + made.public_bytes(serialization.Encoding.PEM))
    return path


@contextlib.contextmanager
def _served(folder: Path, ends: datetime) -> Iterator[Site]:
    pair = _pair(folder, ends)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair)
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_greet, args=(server, context), daemon=True)
        thread.start()
        yield Site(f"https://localhost:{server.getsockname()[1]}", pair)
    thread.join(10)


def _greet(server: socket.socket, context: ssl.SSLContext) -> None:
    with contextlib.suppress(OSError):
        plain, _ = server.accept()
        with contextlib.suppress(OSError), plain, context.wrap_socket(plain, server_side=True) as secure:
            secure.recv(1)


def test_the_end_of_a_valid_certificate_is_read(tmp_path: Path) -> None:
    with _served(tmp_path, ENDS) as site:
        trust = ssl.create_default_context(cafile=str(site.trust))
        assert fetch_certificate(site.address.replace("https:", "http:"), 10, trust) is None
        found = fetch_certificate(site.address, 10, trust)
    assert found == Certificate(ends=ENDS.isoformat())
    assert found.days(ENDS - timedelta(days=3)) == 3


@pytest.mark.parametrize("ends, said", [(ENDS, "self-signed"), (datetime(2020, 1, 1, tzinfo=UTC), "expired")])
def test_an_untrusted_certificate_is_reported(tmp_path: Path, ends: datetime, said: str) -> None:
    with _served(tmp_path, ends) as site:
        trust = ssl.create_default_context(cafile=str(site.trust)) if said == "expired" else None
        found = fetch_certificate(site.address, 10, trust)
    assert found is not None
    assert said in (found.trouble or "")
    assert found.days(datetime.now(UTC)) is None


def test_a_site_without_a_certificate_gives_none() -> None:
    assert fetch_certificate("http://localhost:1", 1) is None
    assert fetch_certificate("https://127.0.0.1:1", 1) is None
