"""`clearance serve` as it is typed: a process of its own, TLS, signals, and what it refuses to start on."""

import datetime as dt
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support import governed
from tests.support.governed import Place
from tests.support.serving import ROW

pytestmark = pytest.mark.slow
CLEARANCE = Path(sys.executable).with_name("clearance")


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Place:
    return governed.enter(monkeypatch).put("champion")


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of this machine's own name, signed by itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = folder / "server.pem", folder / "server.key"
    files[0].write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8
    files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    return files


@dataclass(frozen=True)
class Started:
    """A server as a process: the address it says, the key it shows."""

    process: subprocess.Popen[str]
    address: str
    key: str


@contextmanager
def started(place: Place, log: Path, *options: str) -> Iterator[Started]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    with log.open("w") as output:
        process = subprocess.Popen(
            [CLEARANCE, "serve", "--port", port, *options],
            cwd=place.root,
            env=dict(os.environ),
            stdout=output,
            stderr=output,
            text=True,
        )
    try:
        end = time.monotonic() + 120
        while not (address := re.search(r"https?://127[\d.]+:\d+", log.read_text())):
            assert process.poll() is None and time.monotonic() < end, log.read_text()
            time.sleep(0.1)
        key = re.search(r"clk_[\w-]+", log.read_text())
        assert key is not None
        yield Started(process, address[0].replace("127.0.0.1", "localhost"), key[0])
    finally:
        process.kill()
        process.wait(20)


def ask(server: Started, verify: ssl.SSLContext | bool = True) -> httpx.Response:
    headers = {"authorization": f"Bearer {server.key}", "idempotency-key": "one"}
    body = {"rows": [{"entity": "E", "features": ROW}]}
    end = time.monotonic() + 30
    while True:
        try:
            return httpx.post(
                f"{server.address}/v1/predict", json=body, headers=headers, verify=verify, timeout=30
            )
        except httpx.ConnectError:
            assert time.monotonic() < end
            time.sleep(0.1)


def test_a_killed_server_has_lost_nothing_and_a_stopped_one_ends_in_peace(
    place: Place, tmp_path: Path
) -> None:
    pem, key = certificate(tmp_path)
    trusted = ssl.create_default_context(cafile=str(pem))
    log = tmp_path / "serve.log"
    with started(place, log, "--certificate", str(pem), "--key", str(key)) as server:
        assert server.address.startswith("https://")
        answer = ask(server, trusted)
        assert answer.status_code == 200, answer.text
        assert "max-age" in answer.headers["strict-transport-security"]
        with pytest.raises(httpx.HTTPError):
            httpx.get(server.address.replace("https", "http") + "/healthz", timeout=10)
        server.process.send_signal(signal.SIGKILL)
        server.process.wait(20)
    (first,) = answer.json()["decisions"]
    with started(place, log) as server:
        (again,) = ask(server).json()["decisions"]
        assert again == first, "the decision was on record before it left"
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(30) == 0
    assert "Traceback" not in log.read_text()
    verified = place.command("decisions", "verify")
    assert verified.code == 0, verified.said


def test_it_starts_on_nothing_that_it_could_not_serve(place: Place) -> None:
    open_to_all = place.command("serve", "--host", "0.0.0.0")  # noqa: S104 - it is refused
    assert (open_to_all.code, open_to_all.error) == (1, "serving.no_callers")
    place.put("waiting")
    without = place.command("serve")
    assert (without.code, without.error) == (1, "serving.no_champion")
    assert not (place.root / ".clearance/inference.db").exists()
