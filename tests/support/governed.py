"""One judged project under a policy that asks a validator and a risk officer, in the states it can be in.

Each state is built once in a process, by the commands themselves, and put back in tenths of a second: MLflow
holds absolute paths, so the project stays where it is and only its content changes.
"""

from __future__ import annotations

import atexit
import contextlib
import datetime as dt
import functools
import io
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from clearance import cli, ledger, registry
from clearance.errors import ClearanceError, ExitCode
from clearance.promotion import decide, release, review, session, verify, version_record
from clearance.promotion.session import LedgerSession, open_session
from clearance.trust import approval_state, decisions, dsse, roles_file, signers
from clearance.trust.decisions import ApprovalSubject
from clearance.trust.signers import IDENTITY
from tasks import track
from tests.support import judged

NAME, CANDIDATES = "loan-approval", "loan-approval-candidate"
PEOPLE: dict[str, Any] = {
    "tess": ["data_scientist", "validator", "risk_officer", "operator"],
    "vic": ["validator"],
    "roy": ["risk_officer"],
}
"""Beside the demo's own; tess trains and proposes, and has every role that decides."""

MANNER: dict[str, Any] = judged.PROMOTION | {
    "approvals": {"none": {"validator": 1, "risk_officer": 1}},
    "override_days": 30,
}
RULES = [rule for rule in judged.POLICY["rules"] if rule["id"] != "stricter"]  # these hold on any day
POLICY: dict[str, Any] = {"promotion": MANNER, "rules": RULES}


_MAKERS: dict[str, tuple[str, ...]] = {}


@dataclass(frozen=True)
class Done:
    """How a command ended: its exit status, what it printed, and the code of the error it ended with."""

    code: int
    said: str
    error: str = ""


class Place:
    """A project at `<home>/project` and the states it was in so far; to be entered before it is used."""

    def __init__(self, home: Path) -> None:
        self.root, self.saved = home / "project", home / "states"
        with pytest.MonkeyPatch.context() as patch:
            judged.settle_with_store(self.root, patch, policy=POLICY)
            add_people(self.root)
            self.save("judged")

    def enter(self, patch: pytest.MonkeyPatch) -> Place:
        """Make it the working folder; the environment names nobody, and no other ledger or root."""
        judged.move_in(self.root, patch)
        for name in ("CLEARANCE_ROOT", "CLEARANCE_LEDGER", "CLEARANCE_CHECKPOINTS", IDENTITY, signers.SIGNER):
            patch.delenv(name, raising=False)
        return self

    def save(self, name: str) -> None:
        """Keep what there is now as the state `name`."""
        target = self.saved / name
        shutil.copytree(self.root, target, symlinks=True, ignore=shutil.ignore_patterns("mlflow.db*"))
        _backup(self.root / "mlflow.db", target / "mlflow.db")

    def put(self, name: str) -> Place:
        """Put the project into a state, building it where nobody has so far."""
        return self.make(name, *STATES.get(name, ("judged", None)))

    def make(self, name: str, before: str, build: Callable[[Place], Any] | None) -> Place:
        """Put the project into the state `name`, which `build` makes of the state `before`.

        A name is that of one state: two tests that made different ones would get the other's by turns.
        """
        if build is not None:
            function = build.func if isinstance(build, functools.partial) else build
            arguments = (build.args, build.keywords) if isinstance(build, functools.partial) else ()
            maker = (before, function.__module__, function.__qualname__, repr(arguments))
            assert _MAKERS.setdefault(name, maker) == maker, name
        if not (self.saved / name).exists():
            self.put(before)
            assert build is not None, name
            build(self)
            self.save(name)
            return self
        for path in self.root.iterdir():
            if path.name.startswith("mlflow.db"):
                continue
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        ignored = shutil.ignore_patterns("mlflow.db")
        shutil.copytree(self.saved / name, self.root, symlinks=True, dirs_exist_ok=True, ignore=ignored)
        _backup(self.saved / name / "mlflow.db", self.root / "mlflow.db")
        return self

    def judge(self, **options: Any) -> None:
        """Have what was judged in MLflow; with options, another project's outputs."""
        if options:
            judged.put(self.root, **({"policy": POLICY} | options))
            add_people(self.root)
        track.main()

    def release(self, by: str = "tess", **options: Any) -> dict[str, Any]:
        """`judge`, and release it."""
        with self.as_(by):
            self.judge(**options)
            return release.release(self.root, today())

    @contextlib.contextmanager
    def as_(self, identity: str) -> Iterator[None]:
        """Act as this person where a command takes them from the environment."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(IDENTITY, identity)
            yield

    @contextlib.contextmanager
    def office(self, identity: str | None = None) -> Iterator[LedgerSession]:
        """The project's office in somebody's hands."""
        with open_session(self.root, identity) as office:
            yield office

    def run(self, main: Callable[[], None], *arguments: str, by: str = "") -> Done:
        """Run a command's `main` with these arguments, as it is started by the command line."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["clearance", *arguments])
            patch.setenv(IDENTITY, by)
            try:
                main()
            except ClearanceError as error:
                return Done(int(error.exit_code), str(error))
            except SystemExit as system_exit:
                return Done(int(system_exit.code or 0), "")
        return Done(int(ExitCode.PASS), "")

    def command(self, *words: str, by: str = "") -> Done:
        """Run `clearance` with these words, in this process."""
        output, variables = io.StringIO(), dict(os.environ)
        os.environ[IDENTITY] = by
        try:
            with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
                cli.main.main(list(words), standalone_mode=False)
        except SystemExit as system_exit:
            error = system_exit.__cause__.code if isinstance(system_exit.__cause__, ClearanceError) else ""
            return Done(int(system_exit.code or 0), output.getvalue(), error)
        finally:
            os.environ.clear()
            os.environ.update(variables)
        return Done(int(ExitCode.PASS), output.getvalue())

    def decide(self, kind: str, version: int, by: str, *, days: int | None = None) -> Done:
        """Somebody decides on a version; `days` is how long an override lasts."""
        more = ["--until", (today() + dt.timedelta(days=days)).isoformat()] if days is not None else []
        return self.command(kind, str(version), "--as", by, "--reason", f"{by}'s reason", *more)

    def agree(self, version: int, *, kind: str = "approve", by: Sequence[str] = ("vera", "rita")) -> Place:
        """Have these people decide so, each of them with success."""
        for person in by:
            result = self.decide(kind, version, person, days=7 if kind == "override" else None)
            assert result.code == ExitCode.PASS, (person, result)
        return self

    def promote(self, version: int, by: str = "") -> Done:
        """Somebody promotes a version."""
        return self.command("promote", str(version), by=by)

    def roll_back(self, to: int | None = None, by: str = "pipeline") -> Done:
        """Somebody rolls back."""
        more = ["--to", str(to)] if to is not None else []
        return self.command("rollback", "--as", by, "--reason", "it does harm", *more)

    def retire(self, by: str = "pipeline") -> Done:
        """Somebody retires the model."""
        return self.command("retire", "--as", by, "--reason", "nobody asks for it any more")

    def verify(self, version: int | None = None) -> dict[str, verify.Check]:
        """What `verify` says, by the name of the check."""
        with self.office() as office:
            checks = verify.verify(office, registry.connect(), NAME, version)
        return {check.name: check for check in checks}

    def broken(self, version: int | None = None) -> set[str]:
        """The names of the checks that do not hold."""
        return {name for name, check in self.verify(version).items() if not check.holds}

    def entries(self, kind: str | None = None) -> list[ledger.Entry]:
        """The ledger's entries about the model, of one kind where it is named."""
        with ledger.open(f"sqlite:///{self.root}/.clearance/ledger.db") as book:
            history = list(ledger.entries(book, model=NAME))
        return [entry for entry in history if kind in (None, entry.kind)]

    def told(self) -> int | None:
        """The champion by the ledger, as a candidate's number."""
        with session.open_read_only(self.root) as reader:
            reign = version_record.champion(reader.entries(NAME), NAME)
        return reign and reign.version

    def alias(self) -> int | None:
        """The version of the model that the alias points at, as MLflow's database has it."""
        where = "name = ? AND alias = 'champion'"
        rows = self.sql(f"SELECT version FROM registered_model_aliases WHERE {where}", NAME)  # noqa: S608
        return int(rows[0][0]) if rows else None

    def commit_policies(self) -> None:
        """Have git hold the policies as they are."""
        who = ["-c", "user.name=dan", "-c", "user.email=dan@clearance.example"]
        for words in (
            ["init", "--quiet"],
            ["add", "policies"],
            [*who, "commit", "--quiet", "-m", "policies"],
        ):
            subprocess.run(["git", *words], cwd=self.root, check=True)

    def sql(self, statement: str, *values: Any) -> list[Any]:
        """Change MLflow's database, or read it, past MLflow."""
        return _sql(self.root / "mlflow.db", statement, *values)

    def ledger_sql(self, statement: str, *values: Any) -> list[Any]:
        """Change the ledger's database past the ledger."""
        return _sql(self.root / ".clearance/ledger.db", statement, *values)

    def move_alias(self, version: int) -> None:
        """Point the alias at a version of the model in MLflow's database itself."""
        self.sql("DELETE FROM registered_model_aliases WHERE name = ?", NAME)
        columns = "(alias, version, name) VALUES ('champion', ?, ?)"
        self.sql(f"INSERT INTO registered_model_aliases {columns}", version, NAME)

    def model_folder(self, version: int) -> Path:
        """Where MLflow keeps the files of a candidate's model."""
        rows = self.sql(
            "SELECT storage_location FROM model_versions WHERE name = ? AND version = ?", CANDIDATES, version
        )
        return Path(rows[0][0].removeprefix("file://"))

    def run_folder(self, version: int) -> Path:
        """Where MLflow keeps the files of a candidate's run."""
        rows = self.sql(
            "SELECT r.artifact_uri FROM runs r JOIN model_versions v ON v.run_id = r.run_uuid "
            "WHERE v.name = ? AND v.version = ?",
            CANDIDATES,
            version,
        )
        return Path(rows[0][0].removeprefix("file://"))

    def bundle_file(self, version: int) -> Path:
        """Where MLflow keeps the evidence bundle of a candidate."""
        (file,) = (self.run_folder(version) / "evidence").glob("bundle-*.json")
        return file

    def record(
        self, identity: str, kind: ledger.EntryKind, version: int, envelope: dict[str, Any]
    ) -> ledger.Entry:
        """Write an entry about a version into the ledger by hand, past the command."""
        with self.office(identity) as office:
            content = self.proposed(version).content
            body = {"version": version, "content": content, "reason": "by hand", "envelope": envelope}
            return ledger.append(office.book, [office.draft(kind, NAME, **body)])[0]

    def forge(self, identity: str, *drafts: ledger.Draft) -> tuple[ledger.Entry, ...]:
        """Write entries with somebody's key past the commands, whatever they say."""
        with self.office(identity) as office:
            forgeries = [d if d.keyid else replace(d, keyid=office.keyid) for d in drafts]
            return ledger.append(office.book, forgeries)

    def voids(self) -> dict[int, str]:
        """Why each void entry is void, by its number."""
        with session.open_read_only(self.root) as reader:
            return {number: void.why for number, void in reader.voids().items()}

    def proposed(self, version: int) -> version_record.Proposal:
        """What was proposed as this version."""
        proposal = version_record.find_proposal(self.entries(), version)
        assert proposal is not None
        return proposal

    def matter(self, version: int, **changes: Any) -> ApprovalSubject:
        """What there is to decide about a version, by the ledger; changed as told."""
        champion = self.told()
        against = self.proposed(champion).content if champion not in (None, version) else None
        with self.office() as office:
            comparison = version_record.newest_comparison(self.entries(), version, office.roles)
            binding = {"ledger": office.book.id, "root": office.roles.root_digest}
        about = {"comparison": comparison and comparison.comparison, "champion": against}
        content, policy = self.proposed(version).content, judged.POLICY["id"]
        about |= binding | {"model": NAME, "version": version, "content": content, "policy": policy}
        return ApprovalSubject(**(about | changes))

    def standing(self, version: int) -> approval_state.ApprovalState:
        """The state of the approvals of a version now."""
        with self.office() as office:
            server = registry.connect()
            return review.open_review(office, server, NAME, version, today()).approvals

    def roles(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Change the demo's roles file, keys listed; the demo's root signs it anew at the next command."""
        keyed = yaml.safe_load((self.root / ".clearance/keys/roles.yaml").read_text())
        change(keyed)
        (self.root / roles_file.FILE).write_text(yaml.safe_dump(keyed, sort_keys=False))

    def hold(self, kind: str, version: int, by: str) -> Place:
        """Have somebody decide, and leave it to others to promote what that completes."""
        with self.office(by) as office:
            until = dt.datetime.now(dt.UTC) + dt.timedelta(days=7) if kind == "override" else None
            decide.decide(
                office,
                registry.connect(),
                NAME,
                version,
                kind=decisions.DecisionKind(kind),
                reason=f"{by}'s reason",
                until=until,
            )
        return self

    def decision(
        self,
        kind: str,
        version: int,
        by: str,
        *,
        signer: str | None = None,
        until: dt.timedelta | None = None,
        **changes: Any,
    ) -> dict[str, Any]:
        """The envelope of a decision, signed by `signer` (default: `by`); the matter changed as told."""
        now = dt.datetime.now(dt.UTC)
        statement = decisions.statement_for(
            decisions.DecisionKind(kind),
            self.matter(version, **changes),
            by=by,
            reason=f"{by}'s reason",
            at=now,
            until=until and now + until,
        )
        return self.signed(signer or by, statement)

    def signed(self, identity: str, statement: dict[str, Any]) -> dict[str, Any]:
        """A statement signed with somebody's key."""
        place = self.root / ".clearance/keys" / f"{identity}.pem"
        return dsse.sign(statement, signers.signer(f"file2:{place}"))


def today() -> dt.date:
    """The day in UTC."""
    return dt.datetime.now(dt.UTC).date()


def add_people(root: Path) -> None:
    """Add `PEOPLE` to the demo's roles file."""
    path = root / roles_file.FILE
    document = yaml.safe_load(path.read_text())
    for identity, roles in PEOPLE.items():
        document["people"][identity] = {"emails": [f"{identity}@clearance.example"], "roles": roles}
    path.write_text(yaml.safe_dump(document, sort_keys=False))


@cache
def _shared() -> Place:
    home = tempfile.mkdtemp(prefix="governed-")
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    return Place(Path(home).resolve())


def enter(patch: pytest.MonkeyPatch) -> Place:
    """The one place that the tests of this process share, entered."""
    return _shared().enter(patch)


STATES: dict[str, tuple[str, Callable[[Place], Any]]] = {
    "waiting": ("judged", lambda place: place.release()),
    "half": ("waiting", lambda place: place.agree(1, by=["vera"])),
    "champion": ("waiting", lambda place: place.agree(1)),
    "second": ("champion", lambda place: place.release(model=1)),
    "successor": ("second", lambda place: place.agree(2)),
    "failed": ("successor", lambda place: place.release(model=2, verdict="fail")),
    "unsure": ("successor", lambda place: place.release(model=3, verdict="insufficient_evidence")),
}
"""A state, the one it is built on, and how. Version 1 waits, serves, is followed by version 2; 3 fails."""


def _backup(source: Path, target: Path) -> None:
    """Copy a database through SQLite, so that connections which are open see the new content."""
    connections = contextlib.closing(sqlite3.connect(source)), contextlib.closing(sqlite3.connect(target))
    with connections[0] as connection, connections[1] as into:
        connection.backup(into)


def _sql(path: Path, statement: str, *values: Any) -> list[Any]:
    with contextlib.closing(sqlite3.connect(path, timeout=60)) as database, database:
        return database.execute(statement, values).fetchall()
