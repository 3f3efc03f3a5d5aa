"""A root of one's own, as its holders type it: keys, pin, signatures, a new root after the old one."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from clearance import cli, ledger
from clearance.errors import ClearanceError
from clearance.promotion import session
from clearance.trust import root as trust
from tests.support import judged, people

HOLDERS = ("ann", "bob", "cam", "dee", "eve")
Call = Callable[..., Result]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """The command line in a project whose only person is ann, with keys of five holders of the root."""
    for name in [variable for variable in os.environ if variable.startswith("CLEARANCE_")]:
        monkeypatch.delenv(name)
    project = tmp_path / "project"
    (project / "policies").mkdir(parents=True)
    for name in ("dvc.yaml", "params.yaml"):
        (project / name).write_bytes((judged.LOCK.parent / name).read_bytes())
    monkeypatch.chdir(project)
    monkeypatch.setenv("CLEARANCE_ROOT", str(tmp_path / "root.json"))
    monkeypatch.setattr("clearance.environment.apply", lambda _: None)

    def typed(*words: str, code: int = 0) -> Result:
        result = CliRunner().invoke(cli.main, [word.replace("~", str(tmp_path)) for word in words])
        assert result.exit_code == code, result.output
        return result

    for name in HOLDERS:
        typed("keys", "create", name, "--folder", "~")
    (own,) = yaml.safe_load((tmp_path / "ann.pub").read_text())
    ann = {"roles": ["operator"], "keys": [own | {"from": "2020-01-01T00:00:00Z"}]}
    (project / "policies/roles.yaml").write_text(
        yaml.safe_dump({"roles": people.RIGHTS, "people": {"ann": ann}})
    )
    monkeypatch.setenv("CLEARANCE_IDENTITY", "ann")
    monkeypatch.setenv("CLEARANCE_SIGNER", f"file2:{tmp_path}/ann.pem")
    return typed


def error_code(result: Result) -> str:
    """The code of the error that the command ended with."""
    assert result.exception is not None and isinstance(result.exception.__cause__, ClearanceError)
    return result.exception.__cause__.code


def publics(*names: str) -> list[str]:
    return [word for name in names for word in ("--keys", f"~/{name}.pub")]


def pinned_and_signed(call: Call) -> None:
    call("root", "pin", *publics("ann", "bob", "cam"), "--threshold", "2")
    call("roles", "sign", "--key", "file2:~/ann.pem")
    call("roles", "sign", "--key", "file2:~/bob.pem")


def recorded_roots() -> list[int]:
    with session.open_session(Path.cwd()) as office:
        return [
            entry.body["root_version"] for entry in office.entries() if entry.kind == ledger.EntryKind.ROLES
        ]


def test_a_root_is_pinned_by_public_keys_and_m_of_them_make_the_roles_count(call: Call) -> None:
    call("root", "pin", *publics("ann", "bob", "cam"), "--threshold", "2")
    assert "2 of 3 keys must sign" in call("root", "show").output
    call("roles", "sign", "--key", "file2:~/ann.pem")
    assert "1 of 2 signatures of the root" in call("roles", "show", code=1).output
    foreign = call("roles", "sign", "--key", "file2:~/eve.pem", code=1)
    assert error_code(foreign) == "trust.foreign_key"
    call("roles", "sign", "--key", "file2:~/bob.pem")
    assert call("roles", "show").output.startswith("ann (operator): promote, roll_back")


def test_a_pinned_root_is_never_pinned_over(call: Call) -> None:
    pinned_and_signed(call)
    result = call("root", "pin", *publics("eve"), "--threshold", "1", code=1)
    assert error_code(result) == "cli.root_already_pinned"


def test_a_new_root_takes_m_of_the_old_and_m_of_the_new(call: Call, tmp_path: Path) -> None:
    pinned_and_signed(call)
    before = recorded_roots()
    new = [*publics("bob", "dee", "eve"), "--threshold", "2", "--key", "file2:~/bob.pem"]
    assert "1 of 2 signatures of the old root" in call("root", "propose", "~/next.json", *new).output
    assert "1 of 2 signatures of the old root" in call("root", "adopt", "~/next.json", code=1).output
    output = call("root", "sign", "~/next.json", "--key", "file2:~/ann.pem").output
    assert "1 of 2 signatures of the new root" in output
    assert "is complete" in call("root", "sign", "~/next.json", "--key", "file2:~/eve.pem").output
    assert "version 2" in call("root", "adopt", "~/next.json").output
    assert trust.load(tmp_path / "root.json").version == 2
    # one holder of the old two stays: the roles file needs one more signature, as the next version
    assert "1 of 2 signatures of the root" in call("roles", "show", code=1).output
    call("roles", "sign", "--key", "file2:~/dee.pem")
    assert call("roles", "show").output.startswith("ann (operator)")
    assert (before, recorded_roots()) == ([1], [1, 2])


def test_after_a_wholly_new_root_the_roles_are_signed_as_the_next_version(call: Call) -> None:
    pinned_and_signed(call)
    assert recorded_roots() == [1]
    call("root", "propose", "~/n.json", *publics("eve"), "--threshold", "1", "--key", "file2:~/bob.pem")
    call("root", "sign", "~/n.json", "--key", "file2:~/cam.pem")
    call("root", "sign", "~/n.json", "--key", "file2:~/eve.pem")
    call("root", "adopt", "~/n.json")
    call("roles", "sign", "--key", "file2:~/eve.pem")
    with session.open_session(Path.cwd()) as office:
        assert (office.roles.version, office.roles.root) == (2, 2)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["pin", "--keys", "~/ann.pem", "--threshold", "1"], "private_not_public"),
        (["pin", "--keys", "~/none.pub", "--threshold", "1"], "public_key_not_readable"),
        (["pin", "--keys", "params.yaml", "--threshold", "1"], "no_public_key"),
        (["pin", *publics("ann", "ann"), "--threshold", "1"], "repeated_root_key"),
        (["pin", *publics("ann"), "--threshold", "2"], "impossible_threshold"),
        (
            ["propose", "~/n.json", *publics("eve"), "--threshold", "1", "--key", "file2:~/ann.pem"],
            "root_not_readable",
        ),
    ],
)
def test_what_is_no_root_is_refused_and_nothing_is_pinned(
    call: Call, tmp_path: Path, words: list[str], code: str
) -> None:
    assert error_code(call("root", *words, code=1)) == f"trust.{code}"
    assert not (tmp_path / "root.json").exists()


def test_a_stranger_neither_proposes_nor_signs_a_new_root(call: Call) -> None:
    pinned_and_signed(call)
    new = ["~/n.json", *publics("dee"), "--threshold", "1"]
    call("root", "propose", *new, "--key", "file2:~/eve.pem", code=1)
    call("root", "propose", *new, "--key", "file2:~/ann.pem")
    call("root", "sign", "~/n.json", "--key", "file2:~/eve.pem", code=1)
    again = call("root", "propose", *new, "--key", "file2:~/ann.pem", code=1)
    assert error_code(again) == "cli.file_exists"


def test_a_key_is_locked_by_the_passphrase(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call("root", "pin", *publics("ann"), "--threshold", "1")
    monkeypatch.setenv("CLEARANCE_PASSPHRASE", "one two three")
    call("keys", "create", "fay", "--folder", "~")
    assert b"ENCRYPTED" in (tmp_path / "fay.pem").read_bytes()
    call("root", "propose", "~/n.json", *publics("fay"), "--threshold", "1", "--key", "file2:~/ann.pem")
    assert "is complete" in call("root", "sign", "~/n.json", "--key", "file2:~/fay.pem").output
