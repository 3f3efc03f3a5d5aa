"""Approvals over HTTP count when the provider's token, the roles file and the evidence say so, else not."""

from __future__ import annotations

import base64
import concurrent.futures
import contextlib
import hashlib
import hmac
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
import yaml

from clearance import ledger, registry
from clearance.approvals_api import app, connections, oidc_keys, oidc_settings, service, tokens
from clearance.approvals_api.rate_limit import RateLimiter
from clearance.approvals_api.tokens import RejectedToken
from clearance.errors import ConfigurationError, UnavailableError
from clearance.promotion import decide, promote, verify
from clearance.promotion.session import open_session
from clearance.trust.decisions import AttestedAccount, DecisionKind
from tasks import release as release_task
from tasks import track
from tests.support import issuer as oidc
from tests.support import judged
from tests.support.issuer import Provider

NAME = "loan-approval"
GROUPS = {"g-val": ["validator", "auditor", "data_scientist"], "g-risk": ["risk_officer"]}
TWO = {"approvals": {"none": {"validator": 1, "risk_officer": 1}}, "override_days": 30}
PEOPLE = {
    "pipeline": ["data_scientist", "operator"],
    "dan": ["data_scientist", "validator"],
    "vera": ["validator"],
    "viktor": ["validator"],
    "rita": ["risk_officer"],
    "ada": ["auditor"],
    "approvals_service": ["approvals_service"],
}
ROLES = {
    "data_scientist": ["train", "propose"],
    "validator": ["approve"],
    "risk_officer": ["approve", "override"],
    "operator": ["promote", "roll_back"],
    "auditor": ["read"],
    "approvals_service": ["attest_identity"],
}


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with oidc.running() as running:
        yield running


@pytest.fixture
def own() -> Iterator[Provider]:
    """A provider that a test may break."""
    with oidc.running() as running:
        yield running


def settings(provider: Provider, **more: Any) -> oidc_settings.ProviderSettings:
    fields = {"issuer": provider.address, "audience": oidc.AUDIENCE, "service": "approvals_service", **more}
    return oidc_settings.ProviderSettings.model_validate(fields)


def read(provider: Provider, token: str, **more: Any) -> AttestedAccount | RejectedToken:
    return tokens.read(token, settings(provider, **more), oidc_keys.ProviderKeys(provider.address))


# What a token proves


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_a_good_token_stands_for_the_account_of_its_subject(own: Provider, algorithm: str) -> None:
    own.rotate(algorithm)
    token = own.token("s-vera", oid="o-1", aud=["another", oidc.AUDIENCE])
    result = read(own, token)
    assert isinstance(result, AttestedAccount), result
    assert (result.issuer, result.subject, result.roles) == (own.address, "s-vera", None)
    assert result.token == hashlib.sha256(token.rpartition(".")[0].encode()).hexdigest()
    assert abs(result.issued.timestamp() - time.time()) < 60
    other = read(own, token, subject="oid")
    assert isinstance(other, AttestedAccount) and other.subject == "o-1"


def encoded(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def with_secret(provider: Provider, secret: bytes, keyid: str) -> str:
    """A token under HS256, as whoever holds nothing but the public key can make one."""
    start = f"{encoded({'alg': 'HS256', 'kid': keyid})}.{encoded(provider.claims('s-vera'))}"
    seal = hmac.digest(secret, start.encode(), "sha256")
    return f"{start}.{base64.urlsafe_b64encode(seal).rstrip(b'=').decode()}"


def unsigned(provider: Provider) -> str:
    header = {"alg": "none", "kid": provider.keys[-1].keyid}
    return f"{encoded(header)}.{encoded(provider.claims('s-vera'))}."


def changed(provider: Provider) -> str:
    """A good token whose payload was changed afterwards."""
    head, _, seal = provider.token("s-viktor").split(".")
    return f"{head}.{encoded(provider.claims('s-vera'))}.{seal}"


def under_a_listed_name(provider: Provider) -> str:
    return provider.token("s-vera", key=oidc.make(keyid=provider.keys[-1].keyid))


AN_HOUR = 3600
BAD: dict[str, tuple[Callable[[Provider], str], str]] = {
    "wrong issuer": (lambda p: p.token("s-vera", iss="https://evil.example"), "token_wrong_issuer"),
    "issuer with a slash": (lambda p: p.token("s-vera", iss=p.address + "/"), "token_wrong_issuer"),
    "wrong audience": (lambda p: p.token("s-vera", aud="api://other"), "token_wrong_audience"),
    "no audience": (lambda p: p.token("s-vera", aud=None), "token_invalid_claim"),
    "expired": (lambda p: p.token("s-vera", exp=int(time.time()) - AN_HOUR), "token_expired"),
    "no expiry": (lambda p: p.token("s-vera", exp=None), "token_invalid_claim"),
    "not valid yet": (lambda p: p.token("s-vera", nbf=int(time.time()) + AN_HOUR), "token_not_yet_valid"),
    "issued later": (lambda p: p.token("s-vera", iat=int(time.time()) + AN_HOUR), "token_not_yet_valid"),
    "never issued": (lambda p: p.token("s-vera", iat=None), "token_invalid_claim"),
    "issued in 1970": (lambda p: p.token("s-vera", iat=1), "token_too_old"),
    "issued too long ago": (
        lambda p: p.token("s-vera", iat=int(time.time()) - 48 * AN_HOUR),
        "token_too_old",
    ),
    "no end in sight": (lambda p: p.token("s-vera", exp=int(time.time()) + 9**9), "token_too_old"),
    "about nobody": (lambda p: p.token("s-vera", sub=None), "token_no_subject"),
    "an empty name": (lambda p: p.token(""), "token_no_subject"),
    "alg none": (unsigned, "token_algorithm_not_allowed"),
    "HS256, public key as the secret": (
        lambda p: with_secret(p, p.keys[-1].public_pem, p.keys[-1].keyid),
        "token_algorithm_not_allowed",
    ),
    "unknown key": (lambda p: p.token("s-vera", key=oidc.make()), "token_unknown_key"),
    "no key named": (
        lambda p: p.token("s-vera", headers={"kid": None}),
        "token_unknown_key",
    ),
    "another key under a listed name": (under_a_listed_name, "token_bad_signature"),
    "another algorithm under a listed name": (
        lambda p: p.token("s-vera", key=oidc.make("EdDSA", p.keys[-1].keyid)),
        "token_key_mismatch",
    ),
    "changed payload": (changed, "token_bad_signature"),
    "logout token": (lambda p: p.token("s-vera", headers={"typ": "logout+jwt"}), "token_wrong_type"),
    "critical header": (
        lambda p: p.token("s-vera", headers={"crit": ["exp"]}),
        "token_not_a_jwt",
    ),
    "no token at all": (lambda _: "x.y.z", "token_not_a_jwt"),
    "endless": (lambda _: "a" * 20_000, "token_too_long"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_token_proves_nothing(provider: Provider, name: str) -> None:
    make, code = BAD[name]
    result = read(provider, make(provider))
    assert isinstance(result, RejectedToken)
    assert result.error.code == f"approvals_api.{code}"


def test_only_a_signature_that_holds_names_who_was_refused(provider: Provider) -> None:
    expired = read(provider, BAD["expired"][0](provider))
    assert isinstance(expired, RejectedToken)
    assert (expired.issuer, expired.subject) == (provider.address, "s-vera")
    for name in ("alg none", "changed payload", "unknown key", "another key under a listed name"):
        result = read(provider, BAD[name][0](provider))
        assert isinstance(result, RejectedToken) and (result.issuer, result.subject) == (None, None)


def test_clocks_may_differ_by_the_leeway_and_no_more(provider: Provider) -> None:
    late = provider.token("s-vera", exp=int(time.time()) - 100)
    assert isinstance(read(provider, late, leeway=300), AttestedAccount)
    assert isinstance(read(provider, late, leeway=30), RejectedToken)


def test_an_algorithm_that_is_not_listed_is_refused(provider: Provider) -> None:
    assert isinstance(read(provider, provider.token("s-vera"), algorithms=["RS256"]), RejectedToken)


@pytest.mark.parametrize(
    ("claim", "left"),
    [
        (["g-val", "g-unknown"], ("auditor", "data_scientist", "validator")),
        (["g-risk"], ("risk_officer",)),
        ("g-risk", ("risk_officer",)),
        ([], ()),
        (None, ()),
        ([{"g-risk": 1}, 7], ()),
        ({"g-risk": True}, ()),
    ],
)
def test_groups_leave_the_roles_that_they_map_to(
    provider: Provider, claim: Any, left: tuple[str, ...]
) -> None:
    result = read(provider, provider.token("s-vera", groups=claim), groups={"roles": GROUPS})
    assert isinstance(result, AttestedAccount) and result.roles == left


# The provider's keys


def test_a_rotated_key_is_found_and_a_withdrawn_one_ends_with_its_lifetime(own: Provider) -> None:
    now = [0.0]
    cache = oidc_keys.ProviderKeys(own.address, lifetime=600, pause=10, clock=lambda: now[0])
    old = own.keys[0]
    assert cache.key(old.keyid) is not None
    new = own.rotate()
    assert cache.key(new.keyid) is None, "asked a moment ago"
    now[0] = 11
    assert cache.key(new.keyid) is not None
    assert cache.key(old.keyid) is None


def test_made_up_key_ids_do_not_make_us_ask_without_end(own: Provider) -> None:
    now = [0.0]
    cache = oidc_keys.ProviderKeys(own.address, lifetime=600, pause=10, clock=lambda: now[0])
    for number in range(100):
        assert cache.key(f"made-up-{number}") is None
    assert own.asked == 2
    now[0] = 601
    cache.key(own.keys[0].keyid)
    assert own.asked == 4, "what is old is asked for again"


def test_keys_are_believed_while_young_and_not_after_when_the_provider_is_silent(own: Provider) -> None:
    now = [0.0]
    cache = oidc_keys.ProviderKeys(own.address, lifetime=600, pause=10, clock=lambda: now[0])
    keyid = own.keys[0].keyid
    assert cache.key(keyid) is not None
    own.redirect = "http://127.0.0.1:9/keys"
    now[0] = 599
    assert cache.key(keyid) is not None
    for now[0] in (601, 602, 700):
        with pytest.raises(UnavailableError) as silent:
            cache.key(keyid)
        assert silent.value.code == "approvals_api.provider_unavailable"
    own.redirect = None
    now[0] = 720
    assert cache.key(keyid) is not None


def break_discovery(**fields: Any) -> Callable[[Provider], None]:
    return lambda own: own.discovery.update(fields)


def weaken(own: Provider) -> None:
    from cryptography.hazmat.primitives.asymmetric import rsa

    short = rsa.generate_private_key(65537, 1024)  # noqa: S505 - that is what is tried
    own.keys = [oidc.Key(keyid="k", algorithm="RS256", private=short)]


def publish(*keys: Any) -> Callable[[Provider], None]:
    def change(own: Provider) -> None:
        own.keys, own.extra = [], list(keys)

    return change


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (break_discovery(issuer="https://evil.example"), "discovery document is for 'https://evil.example'"),
        (break_discovery(jwks_uri="http://evil.example/keys"), "jwks_uri is not an https"),
        (break_discovery(jwks_uri="file:///etc/hostname"), "jwks_uri is not an https"),
        (break_discovery(jwks_uri=None), "jwks_uri is not an https"),
        (lambda own: setattr(own, "redirect", "http://127.0.0.1:9/"), "302"),
        (weaken, "no usable signing key"),
        (publish(), "no usable signing key"),
        (
            publish("x", None, {"kid": 1}, {"kid": "k", "kty": "oct", "k": "c2VjcmV0"}),
            "no usable signing key",
        ),
        (publish({"kid": "k", "kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}), "no usable signing key"),
        (publish({**oidc.make(keyid="k").listed, "use": "enc"}), "no usable signing key"),
        (publish(oidc.make(keyid="k").secret), "no usable signing key"),
    ],
)
def test_a_provider_that_is_not_in_order_gives_no_keys(
    own: Provider, spoil: Callable[[Provider], None], says: str
) -> None:
    spoil(own)
    with pytest.raises(UnavailableError) as error:
        oidc_keys.fetch(own.address)
    assert error.value.code == "approvals_api.provider_unavailable"
    assert says in error.value.values["reason"]


def test_a_provider_that_is_down_gives_no_keys() -> None:
    with oidc.running() as server:
        address = server.address
    with pytest.raises(UnavailableError) as error:
        oidc_keys.fetch(address)
    assert error.value.values["issuer"] == address


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"issuer": "http://login.example"}, "https"),
        ({"issuer": "https://login.example?x=1"}, "without query"),
        ({"algorithms": ["HS256"]}, "RS256"),
        ({"algorithms": ["none"]}, "RS256"),
        ({"algorithms": []}, "algorithms"),
        ({"audience": ""}, "audience"),
        ({"audience": None}, "audience"),
        ({"audiance": "x"}, "did you mean `audience`"),
        ({"leeway": 3600}, "leeway"),
        ({"max_age": 10**9}, "max_age"),
        ({"groups": {"roles": {}}}, "roles"),
    ],
)
def test_faulty_settings_are_refused(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    fields = {"issuer": "https://login.example", "audience": "x"} | change
    (tmp_path / "identity.yaml").write_text(yaml.safe_dump(fields))
    with pytest.raises(ConfigurationError) as invalid:
        oidc_settings.load(tmp_path, {oidc_settings.VARIABLE: "identity.yaml"})
    assert invalid.value.code == "approvals_api.settings_invalid"
    assert says in invalid.value.values["reason"]
    with pytest.raises(ConfigurationError) as missing:
        oidc_settings.load(tmp_path, {})
    assert missing.value.code == "approvals_api.settings_missing"


def test_refusals_are_recorded_up_to_a_number_and_counted_beyond() -> None:
    now = [0.0]
    limiter = RateLimiter(2, 60, clock=lambda: now[0])
    assert [limiter.admit() for _ in range(5)] == [0, 0, None, None, None]
    now[0] = 60
    assert [limiter.admit() for _ in range(3)] == [3, 0, None]


# The service


@dataclass
class World:
    """A judged project whose candidate 1 waits for approval, and its service on loopback."""

    root: Path
    provider: Provider
    port: int = 0

    def sign_in(self, who: str, *groups: str, **changes: Any) -> str:
        joined = groups or tuple(group for group, roles in GROUPS.items() if set(roles) & set(PEOPLE[who]))
        return self.provider.token(f"s-{who}", groups=list(joined), **changes)

    def ask(
        self, method: str, path: str, token: str | None = None, body: Any = None, **headers: str
    ) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if body is not None:
            headers["Content-Type"] = "application/json"
            body = body if isinstance(body, bytes) else json.dumps(body)
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        body = json.loads(response.read())
        connection.close()
        return response.status, body

    def post(self, kind: str, token: str | None, version: int = 1, **more: Any) -> tuple[int, Any]:
        body = {"reason": "seen the evidence", **more}
        return self.ask("POST", f"/models/{NAME}/versions/{version}/{kind}", token, body)

    def look(self, token: str | None) -> tuple[int, Any]:
        return self.ask("GET", f"/models/{NAME}/versions/1", token)

    def entries(self, *kinds: str) -> list[ledger.Entry]:
        with open_session(self.root) as office:
            return [entry for entry in office.entries(NAME) if not kinds or entry.kind in kinds]

    def sound(self) -> bool:
        with open_session(self.root) as office:
            return office.audit().ok


def roles_file(root: Path, address: str, **changes: Any) -> None:
    entries = {who: {"emails": [f"{who}@bank.example"], "roles": roles} for who, roles in PEOPLE.items()}
    people: dict[str, Any] = {
        who: {**answer, "accounts": [{"issuer": address, "subject": f"s-{who}"}]}
        for who, answer in entries.items()
    }
    data = {"demo": True, "roles": ROLES, "people": people | changes}
    (root / "policies/roles.yaml").write_text(yaml.safe_dump(data, sort_keys=False))


FREELY = {False: 10_000, True: 10_000}


@contextmanager
def served(world: World, provider: Provider, per_minute: dict[bool, int]) -> Iterator[World]:
    """The service of the world, until the end."""
    configuration = settings(provider, groups={"roles": GROUPS})
    counter = service.ApprovalService(root=world.root, model=NAME, service="approvals_service")
    application = app.app(
        counter, configuration, oidc_keys.ProviderKeys(provider.address, pause=0), per_minute
    )
    server = uvicorn.Server(
        uvicorn.Config(application, "127.0.0.1", 0, **service.SERVER | {"log_level": "error"})
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    for _ in range(1200):
        if server.started:
            break
        time.sleep(0.05)
    world.port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield world
    finally:
        server.should_exit = True
        thread.join(60)


@contextmanager
def made(folder: Path, provider: Provider, **options: Any) -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch:
        root = judged.settle_with_store(folder / "project", patch, **options)
        roles_file(root, provider.address)
        patch.setenv("CLEARANCE_IDENTITY", "dan")
        track.main()
        release_task.main()
        patch.delenv("CLEARANCE_IDENTITY")
        with served(World(root, provider), provider, FREELY) as world:
            yield world


WAITS = {"promotion": judged.PROMOTION | TWO}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, provider: Provider) -> Iterator[World]:
    """One world for all that promotes nothing."""
    with made(tmp_path_factory.mktemp("shared"), provider, policy=WAITS) as made_world:
        shutil.copytree(made_world.root / ".clearance", made_world.root / "kept", symlinks=True)
        yield made_world


@pytest.fixture
def world(shared: World) -> Iterator[World]:
    """The shared world as it was when its candidate had just been proposed: its ledger, keys and roles."""
    yield shared
    aside = Path(tempfile.mkdtemp(dir=shared.root.parent)) / "used"
    (shared.root / ".clearance").rename(aside)  # a request that was cut off may still write
    shutil.rmtree(aside, ignore_errors=True)
    shutil.copytree(shared.root / "kept", shared.root / ".clearance", symlinks=True, dirs_exist_ok=True)
    roles_file(shared.root, shared.provider.address)
    shared.provider.redirect = None


@pytest.fixture
def fresh(tmp_path: Path, provider: Provider) -> Iterator[World]:
    with made(tmp_path, provider, policy=WAITS) as made_world:
        yield made_world


def test_two_tokens_complete_the_set_and_an_operator_promotes(fresh: World) -> None:
    world = fresh
    code, answer = world.post("approve", world.sign_in("vera"))
    assert (code, answer["counts"], answer["complete"], answer["missing"]) == (
        200,
        True,
        False,
        {"risk_officer": 1},
    )
    code, answer = world.post("approve", world.sign_in("rita"))
    assert (code, answer["complete"]) == (200, True)
    assert (
        answer["promotion"] == "All required approvals are in. Ask an operator to run `clearance promote 1`."
    )
    code, answer = world.look(world.sign_in("ada"))
    assert (code, answer["obstacle"]) == (200, None)
    assert [(decision["who"], decision["attested_by"]) for decision in answer["agreed"]] == [
        ("vera", "approvals_service"),
        ("rita", "approvals_service"),
    ]
    (proposal,) = world.entries("proposal")
    assert answer["evidence"] == proposal.body["content"]
    with open_session(world.root) as office:
        server, day = registry.connect(), office.now().date()
        ending, _ = promote.promote(office, server, NAME, 1, day)
        assert ending.status == "promoted", ending
        checks = verify.verify(office, server, NAME, 1)
    assert all(check.holds for check in checks), checks
    assert [entry.actor for entry in world.entries("approval")] == ["vera", "rita"]


def test_a_service_that_may_promote_does(fresh: World) -> None:
    world = fresh
    roles_file(
        world.root, world.provider.address, approvals_service={"roles": ["approvals_service", "operator"]}
    )
    world.post("approve", world.sign_in("vera"))
    _, answer = world.post("approve", world.sign_in("rita"))
    assert answer["promotion"] == "promoted: loan-approval version 1 is the champion."
    assert [entry.actor for entry in world.entries("promotion")] == ["approvals_service"]


def by_key(
    world: World, who: str, kind: DecisionKind = DecisionKind.APPROVE, why: str = "seen"
) -> ledger.Entry:
    with open_session(world.root, who) as office:
        return decide.decide(office, registry.connect(), NAME, 1, kind=kind, reason=why).entry


def test_key_and_token_of_one_person_are_one_person(world: World) -> None:
    first = by_key(world, "vera")
    code, answer = world.post("approve", world.sign_in("vera"))
    assert (code, answer["counts"], answer["missing"]) == (409, False, {"risk_officer": 1})
    assert f"entry {first.number}" in answer["why"]
    code, answer = world.post("revoke", world.sign_in("vera"), reason="saw more")
    assert (code, answer["missing"]) == (200, {"validator": 1, "risk_officer": 1})
    again = world.post("revoke", world.sign_in("vera"), reason="again")
    assert code_of(again) == (409, "promotion.nothing_to_revoke")
    assert world.sound()


def test_what_is_taken_back_is_all_that_one_decided(world: World) -> None:
    by_key(world, "vera")
    by_key(world, "vera", why="seen again")
    assert by_key(world, "vera", DecisionKind.REVOKE).body["version"] == 1
    assert world.look(world.sign_in("ada"))[1]["missing"] == {"validator": 1, "risk_officer": 1}


def test_the_trainers_token_does_not_approve_and_the_attempt_is_recorded(world: World) -> None:
    code, answer = world.post("approve", world.sign_in("dan"))
    assert (code, answer["counts"]) == (409, False)
    assert answer["why"] and answer["why"] == answer["refused"][-1]["why"]
    assert [entry.actor for entry in world.entries("approval")] == ["dan"]
    assert world.look(world.sign_in("dan"))[1]["missing"] == {"validator": 1, "risk_officer": 1}


def test_a_replayed_token_decides_nothing_also_after_a_revocation(world: World) -> None:
    token = world.sign_in("vera")
    assert world.post("approve", token)[0] == 200
    assert world.post("revoke", world.sign_in("vera"), reason="saw more")[0] == 200
    for kind in ("approve", "reject", "revoke"):
        code, answer = world.post(kind, token)
        assert (code, answer["error"]["code"]) == (403, "approvals_api.token_already_used")
    assert world.look(token)[1]["missing"] == {"validator": 1, "risk_officer": 1}
    assert [entry.actor for entry in world.entries("refusal")] == ["vera"] * 3


def test_one_token_in_eight_hands_at_once_decides_once(world: World) -> None:
    token = world.sign_in("vera")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        codes = [status for status, _ in pool.map(lambda _: world.post("approve", token), range(8))]
    assert sorted(codes) == [200] + [403] * 7
    assert len(world.entries("approval")) == 1 and world.sound()


def test_a_rejection_by_token_stands_until_its_author_takes_it_back(world: World) -> None:
    world.post("approve", world.sign_in("vera"))
    assert world.post("reject", world.sign_in("viktor"), reason="too few rows")[0] == 200
    code, answer = world.post("approve", world.sign_in("rita"))
    assert (code, answer["complete"]) == (200, False)
    assert "viktor rejected it" in answer["reasons"][0] and "promotion" not in answer
    assert world.post("revoke", world.sign_in("viktor"), reason="counted")[1]["complete"]


def test_an_override_by_token_takes_two_people_and_an_end(tmp_path: Path, provider: Provider) -> None:
    with made(tmp_path, provider, policy=WAITS, verdict="fail") as world:
        assert world.post("approve", world.sign_in("vera"))[0] == 409
        assert world.post("override", world.sign_in("vera"))[0] == 409  # it has no end
        soon = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 10 * 86400))
        code, answer = world.post("override", world.sign_in("vera"), until=soon)
        assert (code, answer["complete"]) == (200, False)
        code, answer = world.post("override", world.sign_in("rita"), until=f"{soon}T00:00:00Z")
        assert (code, answer["complete"]) == (200, True)
        assert {decision["until"] for decision in answer["agreed"]} == {f"{soon}T00:00:00+00:00"}


NOBODY = ("alg none", "HS256, public key as the secret", "unknown key", "changed payload", "no token at all")
KNOWN = ("expired", "not valid yet", "wrong audience", "no expiry")


@pytest.mark.parametrize("name", [*NOBODY, *KNOWN, "wrong issuer"])
def test_every_bad_token_is_refused_and_recorded_without_the_token(world: World, name: str) -> None:
    before = len(world.entries())
    token = BAD[name][0](world.provider)
    code, answer = world.post("approve", token)
    assert code == 401, answer
    (entry,) = world.entries()[before:]
    assert (entry.kind, entry.body["version"]) == ("refusal", 1)
    text = json.dumps(entry.to_json())
    assert token not in text and all(part not in text for part in token.split(".") if len(part) > 8)
    assert entry.actor == ("vera" if name in KNOWN else "approvals_service")
    issuer = "https://evil.example" if name == "wrong issuer" else world.provider.address
    account = None if name in NOBODY else {"issuer": issuer, "subject": "s-vera"}
    assert entry.body.get("account") == account


@pytest.mark.parametrize(
    ("who", "groups", "says"),
    [
        ("vera", ("g-risk",), "no_right_in_groups"),
        ("vera", ("g-none",), "no_right_in_groups"),
        ("ada", ("g-val", "g-risk"), "no_right_in_groups"),
        ("nobody", ("g-val",), "unknown_account"),
    ],
)
def test_who_may_not_approve_is_refused_and_recorded(
    world: World, who: str, groups: tuple[str, ...], says: str
) -> None:
    before = len(world.entries())
    code, answer = world.post("approve", world.sign_in(who, *groups))
    assert (code, answer["error"]["code"]) == (403, f"approvals_api.{says}")
    (entry,) = world.entries()[before:]
    assert entry.kind == "refusal" and answer["error"]["message"] in entry.body["reason"]
    assert entry.body["account"] == {"issuer": world.provider.address, "subject": f"s-{who}"}
    assert entry.actor == ("approvals_service" if who == "nobody" else who)


def test_reading_takes_a_token_of_somebody_with_a_right(world: World) -> None:
    assert world.look(None)[0] == 401
    assert world.look(world.sign_in("nobody", "g-val"))[0] == 403
    assert world.look(world.sign_in("ada", "g-none"))[0] == 403
    code, answer = world.look(world.sign_in("vera"))
    assert (code, answer["verdict"], answer["agreed"]) == (200, "pass", [])


def code_of(answer: tuple[int, Any]) -> tuple[int, str]:
    """Status and error code of an answer, which offers a message and a hint as well."""
    status, body = answer
    assert set(body) == {"error"} and set(body["error"]) == {"code", "message", "hint"}
    assert body["error"]["message"] and body["error"]["hint"]
    return status, body["error"]["code"].removeprefix("approvals_api.")


def test_what_is_no_request_is_refused_before_anything_is_decided(world: World) -> None:
    path, token = f"/models/{NAME}/versions/1/approve", world.sign_in("vera")
    before = len(world.entries("approval"))
    for body in ({"reason": " "}, {}, {"reason": "x", "by": "rita"}, {"reason": "x", "until": "never"}):
        assert code_of(world.ask("POST", path, token, body)) == (422, "invalid_request")
    assert code_of(world.ask("POST", path, token, {"reason": "x" * 70_000})) == (413, "request_too_large")
    reason = {"reason": "x"}
    other = f"/models/{NAME}/versions/1/bless"
    assert code_of(world.ask("POST", other, token, reason)) == (422, "invalid_request")
    other = "/models/other/versions/1/approve"
    assert code_of(world.ask("POST", other, token, reason)) == (404, "other_model")
    assert code_of(world.ask("GET", "/nowhere", token)) == (404, "not_found")
    assert code_of(world.ask("PUT", path, token, reason)) == (405, "not_found")
    code, answer = world.post("approve", token, version=99)
    assert code == 409 and "version 99" in answer["error"]["message"]
    basic = world.ask("GET", f"/models/{NAME}/versions/1", None, Authorization="Basic eDp5")
    assert code_of(basic) == (401, "no_bearer_token")
    assert len(world.entries("approval")) == before


@pytest.mark.parametrize(
    "version", ["%C2%B2", "9" * 5000, "0", "-1", "01", "1.0", "%D9%A1", "%00", "x", "1%0A"]
)
def test_what_is_no_number_of_a_version_is_not_found_and_counted(world: World, version: str) -> None:
    path, before = f"/models/{NAME}/versions/{version}", len(world.entries("refusal"))
    assert code_of(world.ask("GET", path, world.sign_in("vera"))) == (404, "not_found")
    assert code_of(world.ask("GET", path)) == (401, "no_bearer_token")
    assert len(world.entries("refusal")) == before + 2


def test_no_redirect_follows_the_host_that_a_request_names(world: World) -> None:
    answer = world.ask("GET", f"/models/{NAME}/versions/1/", world.sign_in("vera"), Host="evil.example")
    assert code_of(answer) == (404, "not_found")


@pytest.mark.parametrize(
    "body",
    [
        '{"reason": "seen"}'.encode("utf-16"),
        '{"reason": "seen"}'.encode("utf-8-sig"),
        b'{"reason": "se\xff"}',
        b'{"reason": "se\0en"}',
        b'{"reason": "se\\u0000en"}',
        b'{"reason": "\\ud800"}',
        b'{"reason": "\\u200b\\u2060\\ufeff\\u3164"}',
        b'{"reason": NaN}',
    ],
)
def test_a_body_is_json_in_utf8_with_a_reason_that_shows(world: World, body: bytes) -> None:
    path, before = f"/models/{NAME}/versions/1/approve", len(world.entries("approval"))
    assert code_of(world.ask("POST", path, world.sign_in("vera"), body)) == (422, "invalid_request")
    assert len(world.entries("approval")) == before


def test_requests_that_are_none_are_limited_like_other_refusals(world: World) -> None:
    with served(World(world.root, world.provider), world.provider, {False: 2, True: 2}) as strict:
        token = strict.sign_in("vera")
        assert [strict.ask("GET", "/nowhere")[0] for _ in range(3)] == [404, 404, 429]
        assert [strict.post("approve", token, version=0)[0] for _ in range(3)] == [404, 404, 429]


def test_connections_that_send_nothing_keep_nobody_out(world: World) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(3 * connections.MOST_WAITING):
            stack.enter_context(socket.create_connection(("127.0.0.1", world.port)))
        assert world.look(world.sign_in("vera"))[0] == 200


def test_a_request_that_does_not_end_is_closed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections.BoundedProtocol, "seconds", 0.05)
    for start in (b"", b"GET / HTTP/1.1\r\nX: ", b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", world.port), timeout=60) as waiting:
            waiting.sendall(start)
            with contextlib.suppress(ConnectionResetError):
                while waiting.recv(4096):
                    pass


def test_an_error_names_no_folder(world: World) -> None:
    (world.root / ".clearance/ledger.checkpoints").unlink()
    (world.root / ".clearance/ledger.checkpoints").mkdir()
    status, answer = world.post("approve", world.sign_in("vera"))
    assert status in (409, 503) and "ledger.checkpoints" in answer["error"]["message"]
    assert str(world.root.parent) not in json.dumps(answer)


def test_a_key_that_was_rotated_is_found_and_the_old_one_counts_no_more(world: World) -> None:
    assert world.post("approve", world.sign_in("vera"))[0] == 200
    stale = world.sign_in("rita")
    world.provider.rotate("RS256")
    assert world.post("approve", world.sign_in("rita"))[0] == 200
    code, answer = world.post("reject", stale)
    assert (code, answer["error"]["code"]) == (401, "approvals_api.token_unknown_key")


def test_without_the_provider_nothing_is_decided(world: World) -> None:
    world.provider.rotate()
    world.provider.redirect = "http://127.0.0.1:9/"
    before = len(world.entries())
    code, answer = world.post("approve", world.sign_in("vera"))
    assert (code, answer["error"]["code"]) == (503, "approvals_api.provider_unavailable")
    assert len(world.entries()) == before
    world.provider.redirect = None
    assert world.post("approve", world.sign_in("vera"))[0] == 200


def test_a_flood_of_bad_tokens_does_not_fill_the_ledger(world: World) -> None:
    with served(World(world.root, world.provider), world.provider, {False: 3, True: 3}) as strict:
        assert [strict.post("approve", "x.y.z")[0] for _ in range(6)] == [401] * 3 + [429] * 3
        assert len(world.entries("refusal")) == 3
        assert strict.post("approve", strict.sign_in("vera"))[0] == 200


def test_a_service_that_may_not_attest_takes_no_approvals(world: World) -> None:
    token = world.sign_in("vera")
    roles_file(world.root, world.provider.address, approvals_service={"roles": ["validator"]})
    code, answer = world.post("approve", token)
    assert (code, answer["error"]["code"]) == (409, "approvals_api.service_may_not_attest")
    assert not world.entries("approval")


def test_evidence_that_was_tampered_with_is_not_decided_on(world: World) -> None:
    (model,) = (world.root / "mlruns").rglob("model.skops")
    content = model.read_bytes()
    model.chmod(0o644)
    try:
        model.write_bytes(content + b"x")
        code, answer = world.post("approve", world.sign_in("vera"))
    finally:
        model.write_bytes(content)
    assert code == 409 and "model.skops" in answer["error"]["message"]
    assert not world.entries("approval")


@pytest.mark.slow
def test_the_service_is_a_process_that_starts_in_a_project(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        client = World(world.root, world.provider, free.getsockname()[1])
    answer = settings(world.provider, groups={"roles": GROUPS}).model_dump(mode="json")
    (world.root / "policies/identity.yaml").write_text(yaml.safe_dump(answer))
    command = [Path(sys.executable).with_name("clearance"), "serve-approvals", "--port", str(client.port)]
    variables = os.environ | {"PYTHONPATH": str(judged.LOCK.parent)}
    with subprocess.Popen(
        command, cwd=world.root, env=variables, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr is not None
            assert "signed by approvals_service" in process.stderr.readline()
            code = None
            for _ in range(1200):
                with contextlib.suppress(ConnectionRefusedError):
                    code = client.post("approve", client.sign_in("vera"))[0]
                if code or process.poll() is not None:
                    break
                time.sleep(0.1)
            assert code == 200
        finally:
            process.terminate()
    assert [entry.actor for entry in world.entries("approval")] == ["vera"]


def test_the_settings_that_the_guide_shows_are_valid() -> None:
    text = (Path(__file__).parent.parent / "docs/approvals.md").read_text()
    example, *_ = re.findall(r"```yaml\n(issuer: .*?)```", text, re.DOTALL)
    assert (
        oidc_settings.ProviderSettings.model_validate(yaml.safe_load(example)).service == "approvals_service"
    )
