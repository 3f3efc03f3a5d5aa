"""With MLflow's own permissions on, only the promoter's account reaches the name that is served."""

from __future__ import annotations

import base64
import datetime as dt
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from clearance import registry
from clearance.promotion import promote, release
from clearance.promotion.session import open_session
from tasks import track
from tests.support import codes, judged

pytestmark = pytest.mark.slow
pytest.importorskip("flask_wtf", reason="MLflow's auth app needs Flask-WTF: install the extra `mlflow[auth]`")

NAME, CANDIDATES = "loan-approval", "loan-approval-candidate"
SECRETS = {who: f"{who}-and-a-long-word" for who in ("admin", "trainer", "promoter")}
PERMISSIONS = [("trainer", CANDIDATES, "EDIT"), ("trainer", NAME, "READ"), ("promoter", NAME, "EDIT")]
CONFIGURATION = """
[mlflow]
default_permission = READ
database_uri = sqlite:///{home}/auth.db
admin_username = admin
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
auth_cache_ttl_seconds = 60
"""


@dataclass(frozen=True)
class Guarded:
    """An MLflow server with its auth app on, and a judged project that uses it."""

    address: str
    root: Path
    patch: pytest.MonkeyPatch

    def sign_in(self, account: str, identity: str = "pipeline") -> MlflowClient:
        """Use this account of MLflow and this person of the roles file from now on."""
        self.patch.setenv("MLFLOW_TRACKING_USERNAME", account)
        self.patch.setenv("MLFLOW_TRACKING_PASSWORD", SECRETS[account])
        self.patch.setenv("CLEARANCE_IDENTITY", identity)
        return MlflowClient()

    def administer(self, path: str, **fields: str) -> None:
        """Ask the server for something as its administrator."""
        word = base64.b64encode(f"admin:{SECRETS['admin']}".encode()).decode()
        headers = {"Authorization": f"Basic {word}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.address}/api/{path}", json.dumps(fields).encode(), headers)  # noqa: S310 - loopback
        urllib.request.urlopen(request).close()  # noqa: S310


@contextmanager
def running(home: Path) -> Iterator[str]:
    """`mlflow server --app-name basic-auth` on loopback, with stores of its own."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    home.mkdir()
    shutil.copy(judged.empty_store(), home / "mlflow.db")
    (home / "auth.ini").write_text(CONFIGURATION.format(home=home))
    command = [sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth", "--workers", "1"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--serve-artifacts"]
    command += ["--backend-store-uri", f"sqlite:///{home}/mlflow.db"]
    command += ["--artifacts-destination", str(home / "artifacts")]
    settings = {
        "MLFLOW_AUTH_CONFIG_PATH": str(home / "auth.ini"),
        "MLFLOW_AUTH_ADMIN_PASSWORD": SECRETS["admin"],
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "a secret for this test",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    with (home / "log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=home, env=os.environ | settings, stdout=log, stderr=log, start_new_session=True
        )
    try:
        for _ in range(1200):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health")
                break
            except (urllib.error.URLError, ConnectionError):
                assert process.poll() is None, (home / "log").read_text()
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """Set up as docs/approvals.md says: an administrator makes names, accounts and permissions."""
    folder = tmp_path_factory.mktemp("guarded")
    with pytest.MonkeyPatch.context() as patch, running(folder / "server") as address:
        root = judged.settle(folder / "project", patch)
        patch.setenv("MLFLOW_TRACKING_URI", address)
        server = Guarded(address, root, patch)
        admin = server.sign_in("admin")
        for name in (NAME, CANDIDATES):
            admin.create_registered_model(name)
        for who in ("trainer", "promoter"):
            server.administer("2.0/mlflow/users/create", username=who, password=SECRETS[who])
        for who, name, permission in PERMISSIONS:
            about = {"resource_type": "registered_model", "resource_id": name, "permission": permission}
            server.administer("3.0/mlflow/users/permissions/grant", username=who, **about)
        yield server


WRITES: dict[str, Callable[[MlflowClient], object]] = {
    "set the alias": lambda client: client.set_registered_model_alias(NAME, "champion", "1"),
    "take the alias away": lambda client: client.delete_registered_model_alias(NAME, "champion"),
    "register a version": lambda client: client.create_model_version(NAME, f"models:/{CANDIDATES}/1"),
    "copy a candidate": lambda client: client.copy_model_version(f"models:/{CANDIDATES}/1", NAME),
    "tag a version": lambda client: client.set_model_version_tag(NAME, "1", "approved_by", "rita"),
    "take a version's tag away": lambda client: client.delete_model_version_tag(
        NAME, "1", "clearance.fingerprint"
    ),
    "describe a version": lambda client: client.update_model_version(NAME, "1", "approved"),
    "delete a version": lambda client: client.delete_model_version(NAME, "1"),
    "tag the model": lambda client: client.set_registered_model_tag(NAME, "approved", "yes"),
    "take the model's tag away": lambda client: client.delete_registered_model_tag(NAME, "approved"),
    "describe the model": lambda client: client.update_registered_model(NAME, "approved"),
    "rename the model": lambda client: client.rename_registered_model(NAME, "other"),
    "rename a candidate's model over it": lambda client: client.rename_registered_model(CANDIDATES, NAME),
    "delete the model": lambda client: client.delete_registered_model(NAME),
}


def refusal(client: MlflowClient, write: Callable[[MlflowClient], object]) -> str | None:
    """How MLflow refuses to write; None when it does not."""
    try:
        write(client)
    except MlflowException as error:
        return "PERMISSION_DENIED" if "403" in str(error) else str(error.error_code)
    return None


def champion() -> int | None:
    version = registry.champion(registry.connect(), NAME)
    return version and version.number


def test_the_trainer_proposes_the_promoter_promotes_and_no_other_writes_to_the_name(guarded: Guarded) -> None:
    trainer = guarded.sign_in("trainer", "dan")
    track.main()
    day = dt.datetime.now(dt.UTC).date()
    result = release.release(guarded.root, day)
    assert (result["candidate"]["name"], result["candidate"]["version"]) == (CANDIDATES, 1)
    assert result["status"] == "not promoted"
    assert result["reason"] == "All required approvals are in, and dan may not promote: ask an operator to."
    assert not trainer.search_model_versions(f"name='{NAME}'")

    guarded.sign_in("trainer", "pipeline")  # the right person by the roles file, the wrong account in MLflow
    with codes.raises("registry.account_refused") as refused:
        release.release(guarded.root, day)
    assert "set MLFLOW_TRACKING_USERNAME" in refused.value.hint
    assert champion() is None

    guarded.sign_in("promoter", "pipeline")
    with open_session(guarded.root) as office:
        ending, _ = promote.promote(office, registry.connect(), NAME, 1, day)
        assert ending.status == "promoted", ending
        assert office.audit().ok
    assert champion() == 1

    trainer = guarded.sign_in("trainer", "dan")
    before = dict(trainer.get_registered_model(NAME))
    assert {name: refusal(trainer, write) for name, write in WRITES.items()} == {
        name: "RESOURCE_ALREADY_EXISTS" if "over it" in name else "PERMISSION_DENIED" for name in WRITES
    }
    assert dict(trainer.get_registered_model(NAME)) == before
    assert champion() == 1


def test_nobody_gets_in_without_a_password_or_with_a_wrong_one(guarded: Guarded) -> None:
    guarded.sign_in("trainer", "dan")
    guarded.patch.setenv("MLFLOW_TRACKING_PASSWORD", "another and a longer word")
    with codes.raises("registry.account_refused"):
        registry.connect()
