"""A server on loopback that speaks TLS, with a certificate of its own authority (made by the openssl program)."""

import shutil
import ssl
import subprocess
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

WEEK_DAYS = "7"


def certificate(folder: Path, name: str = "IP:127.0.0.1") -> tuple[Path, Path]:
    """(certificate, key): it is its own authority. `name` is what it is for."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl to make a certificate with")
    made, key = folder / "ca.crt", folder / "key.pem"
    command = [
        openssl,
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        WEEK_DAYS,
    ]
    command += ["-subj", "/CN=test", "-addext", f"subjectAltName={name}", "-out", str(made), "-keyout", str(key)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return made, key


def speak_tls(server: ThreadingHTTPServer, made: Path, key: Path) -> None:
    """Every connection to it is TLS from now on; handshakes are made in the connection's own thread."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made, key)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
