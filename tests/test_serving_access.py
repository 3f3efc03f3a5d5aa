"""Callers of the decision server: keys, tokens of an identity provider, roles by its groups, settings."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from clearance.errors import ConfigurationError, ReleaseRefused
from clearance.serving import access
from clearance.serving.access import AccessSettings, Gate, Role
from tests.support import issuer

PACKAGE = Path(os.environ.get("CLEARANCE_OIDC_PROVIDER", "")) / "node_modules/oidc-provider"
SCRIPT = Path(__file__).with_name("support") / "oidc_provider.mjs"


def settings(address: str, audience: str) -> AccessSettings:
    return AccessSettings.model_validate(
        {
            "oidc": {
                "issuer": address,
                "audience": audience,
                "algorithms": ["RS256", "ES256"],
                "groups": {"claim": "groups", "roles": {"loan-officers": ["predict"], "auditors": ["read"]}},
            }
        }
    )


def refused(gate: Gate, header: str) -> str:
    with pytest.raises(ReleaseRefused) as error:
        gate.identify(header)
    return error.value.code


def test_a_token_gives_the_roles_of_its_groups() -> None:
    with issuer.running() as provider:
        gate = Gate(settings(provider.address, issuer.AUDIENCE))
        token = provider.token(subject="ann", groups=["auditors", "others"])
        caller = gate.identify(f"Bearer {token}")
        assert caller.roles == {Role.READ}
        assert caller.name.startswith("ann at ")
        with pytest.raises(ReleaseRefused) as error:
            gate.demand(caller, Role.PREDICT, "ask for decisions")
        assert error.value.code == "serving.role_missing"
        nobody = gate.identify(f"Bearer {provider.token(subject='ben')}")
        assert nobody.roles == set()
        assert refused(gate, f"Bearer {token[:-4]}AAAA").startswith("approvals_api.token")
        assert refused(gate, "Bearer clk_x") == "serving.unknown_key"


@contextlib.contextmanager
def node_provider(folder: Path) -> Iterator[str]:
    """The npm package's server."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    script = PACKAGE.parents[1] / "oidc_provider.mjs"
    shutil.copy(SCRIPT, script)
    with (folder / "node.log").open("wb") as log:
        process = subprocess.Popen(["node", script, str(port)], stdout=log, stderr=log)
    try:
        end = time.monotonic() + 60
        while "listening" not in (folder / "node.log").read_text():
            assert process.poll() is None and time.monotonic() < end, (folder / "node.log").read_text()
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.slow
@pytest.mark.skipif(
    not PACKAGE.is_dir() or shutil.which("node") is None,
    reason="needs Node and the npm package oidc-provider in the folder CLEARANCE_OIDC_PROVIDER",
)
def test_a_foreign_issuers_tokens_are_taken(tmp_path: Path) -> None:
    with node_provider(tmp_path) as address:
        gate = Gate(settings(address, "api://clearance-decisions"))
        endpoint = httpx.get(f"{address}/.well-known/openid-configuration").json()["token_endpoint"]

        def token(client: str) -> str:
            form = {"grant_type": "client_credentials", "scope": "decide"}
            answer = httpx.post(endpoint, data=form, auth=(client, f"{client}-secret"))
            return str(answer.json()["access_token"])

        desk = gate.identify(f"Bearer {token('desk')}")
        assert (desk.name.partition(" at ")[0], desk.roles) == ("desk", {Role.PREDICT})
        assert gate.identify(f"Bearer {token('stranger')}").roles == set()
        other = Gate(settings(address, "api://somebody-else"))
        assert refused(other, f"Bearer {token('desk')}") == "approvals_api.token_wrong_audience"


def test_a_bucket_gives_back_with_time() -> None:
    now = [0.0]
    key, sha256 = access.new_key()
    holder = access.key_holder("desk", sha256, ["predict"]).model_copy(update={"rows_a_minute": 60})
    gate = Gate(AccessSettings(callers=(holder,)), clock=lambda: now[0])
    caller = gate.identify(f"Bearer {key}")
    assert gate.spend(caller, 60) == 0
    assert gate.spend(caller, 30) == 30
    now[0] += 30
    assert gate.spend(caller, 30) == 0
    assert gate.spend(caller, 1) >= 1


@pytest.mark.parametrize(
    "content",
    [
        "callers: [{name: a, key_sha256: x, roles: [predict]}]",
        f"callers: [{{name: a, key_sha256: {'0' * 64}, roles: []}}]",
        f"callers: [{{name: a, key_sha256: {'0' * 64}, roles: [rule]}}]",
        f"callers: [{{name: a, key_sha256: {'0' * 64}, roles: [read], more: 1}}]",
        f"callers: [{{name: 'a b', key_sha256: {'0' * 64}, roles: [read]}}]",
        yaml.safe_dump({"callers": [{"name": "a", "key_sha256": "0" * 64, "roles": ["read"]}] * 2}),
        "oidc: {issuer: https://login.example, audience: a}",
        "oidc: {issuer: https://login.example, audience: a, groups: {roles: {x: [validator]}}}",
        "oidc: {issuer: http://login.example, audience: a, groups: {roles: {x: [read]}}}",
        "[",
    ],
)
def test_settings_that_are_wrong_are_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / access.FILE).write_text(content)
    with pytest.raises(ConfigurationError) as error:
        access.load(tmp_path)
    assert error.value.code == "serving.settings_invalid"


def test_no_file_lists_nobody_and_a_key_is_kept_as_its_digest(tmp_path: Path) -> None:
    assert access.load(tmp_path) == AccessSettings()
    key, sha256 = access.new_key()
    holder = access.key_holder("desk", sha256, ["read", "read"])
    assert holder.roles == (Role.READ,)
    assert key not in str(holder)
    with pytest.raises(ConfigurationError):
        access.key_holder("no spaces", sha256, ["read"])
