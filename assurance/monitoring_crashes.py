"""`kill -9` before and after every side effect between a failed rule and all that follows from it.

    python -m assurance.monitoring_crashes [--seed 1] [--kills 100]

A child is forked from this warm process, reacts to a look and kills itself at a moment; the same is done
again. Ledger, monitoring store, receiver and pipeline must then have each thing exactly once. The pipeline is
a stand-in that, like the real one, does nothing where nothing has changed. The receiver is a real one on
loopback: HTTP alone cannot promise that a request is made once, so it tells repeats by the id in the header.
"""

from __future__ import annotations

import argparse
import http.server
import json
import logging
import os
import random
import signal
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest
import requests
import sqlalchemy as sa
from sqlalchemy.engine import default

from clearance.documents.look_document import Look
from clearance.ledger import EntryKind, checkpoint_files
from clearance.monitoring import alerts
from clearance.monitoring.alerts.actions import ID_HEADER, Actions
from clearance.monitoring.alerts.alert import IntentKind
from clearance.policy.monitoring_terms import MonitoringTerms
from tests.support import alerting
from tests.support.governed import Place

VARIABLE = "CLEARANCE_NOTIFY_URL"
RUNS = "runs.txt"
EXPECTED = {"alerts": 1, "restrictions": 1, "incidents": 1, "notices": 1, "retrainings": 1, "waiting": 0}
"""What there must be of each in the end."""

FAILED = alerting.finding(severity="serious", on_fail="stop", retrain=True)

Moment = Callable[[str], None]


class Receiver:
    """A web hook on loopback that keeps the id of every request it took."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        ids = self.ids

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                ids.append(self.headers[ID_HEADER])
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Write nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"json://127.0.0.1:{self._server.server_address[1]}/?retry=0"

    @contextmanager
    def running(self) -> Iterator[Receiver]:
        """Answer until the end of the block."""
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()


@dataclass(frozen=True, kw_only=True)
class Case:
    """A governed project whose champion decides, the look that fails, and the receiver of notices."""

    place: Place
    look: Look
    terms: MonitoringTerms
    receiver: Receiver

    def react(self) -> None:
        """React to the look, as a run of the monitor does, and once more to what waits."""
        chosen = Actions.of(self.place.root).by_kind
        chosen = {**chosen, IntentKind.RETRAINING: lambda _, __: stand_in(self.place.root)}
        now = alerting.at(1)
        alerts.react(self.place.root, self.look, self.terms, now=now, actions=Actions(by_kind=chosen))

    def world(self) -> dict[str, int]:
        """How often each thing is there; of notices, how many different ones the receiver took."""
        listed = alerts.list_alerts(self.place.root)
        intents = [item for _, items in listed for item in items]
        runs = self.place.root / RUNS
        done = [item for item in intents if item.done is not None]
        return {
            "alerts": len(listed),
            "restrictions": len(self.place.entries(EntryKind.RESTRICTION)),
            "incidents": len(self.place.entries(EntryKind.INCIDENT)),
            "notices": len(set(self.receiver.ids)),
            "retrainings": len(runs.read_text().split()) if runs.exists() else 0,
            "waiting": len(intents) - len(done),
        }


def stand_in(root: Path) -> str:
    """The pipeline as far as it matters here: a second run finds everything done."""
    file = root / RUNS
    if not file.exists():
        hooked("pipeline", lambda: file.write_text("trained\n"))
    return "judged"


_moment: list[Moment] = []


def hooked(name: str, effect: Callable[[], Any]) -> Any:
    """Do an effect, telling of the moments before and after it."""
    for moment in _moment:
        moment(f"before {name}")
    result = effect()
    for moment in _moment:
        moment(f"after {name}")
    return result


def _wrap(owner: Any, name: str, label: str) -> None:
    original = getattr(owner, name)
    setattr(owner, name, lambda *words, **more: hooked(label, lambda: original(*words, **more)))


def _hook() -> None:
    """Have this process, which is thrown away, tell of each of its side effects."""
    _wrap(checkpoint_files, "write", "ledger checkpoint")
    _wrap(default.DefaultDialect, "do_commit", "store commit")
    _wrap(requests.Session, "send", "HTTP request")
    execute = sa.Connection.exec_driver_sql

    def commit(self: sa.Connection, statement: str, *words: Any) -> Any:
        if statement != "COMMIT":
            return execute(self, statement, *words)
        return hooked("ledger commit", lambda: execute(self, statement, *words))

    sa.Connection.exec_driver_sql = commit  # type: ignore[method-assign]


def in_child(case: Case, moment: Moment | None) -> int:
    """React in a forked child; its exit code, negative for the signal that ended it."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        _live(case, moment)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _live(case: Case, moment: Moment | None) -> NoReturn:
    code = 99
    try:
        if moment is not None:
            _moment.append(moment)
            _hook()
        case.react()
        code = 0
    finally:
        sys.stderr.flush()
        os._exit(code)


def kill_at(number: int) -> Moment:
    """Die at the moment with this number."""
    count = 0

    def moment(_: str) -> None:
        nonlocal count
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)
        count += 1

    return moment


def moments(case: Case) -> list[str]:
    """Every moment of an uninterrupted reaction, by name."""
    file = case.place.root.parent / "moments.json"
    names: list[str] = []

    def note(name: str) -> None:
        names.append(name)
        file.write_text(json.dumps(names))

    if (code := in_child(case, note)) != 0:
        raise AssertionError(f"it fails without a kill: {code}")
    return list(json.loads(file.read_text()))


def run(place: Place, patch: pytest.MonkeyPatch, kills: int, seed: int = 1) -> dict[str, Any]:
    """React `kills` times, each killed at a moment and a third of them at a second, then to the end.

    The moments are taken in turn from a random one on.
    """
    random_ = random.Random(seed)  # noqa: S311
    wrong, names, died, repeated = list[str](), list[str](), 0, 0
    place.put("champion")
    look = alerting.look(0, FAILED, content=place.proposed(1).content)
    for number in range(-1, kills):
        place.put("champion")
        with Receiver().running() as receiver:
            patch.setenv(VARIABLE, receiver.address)
            case = Case(place=place, look=look, terms=alerting.terms(), receiver=receiver)
            if number < 0:
                names = moments(case)
                start = random_.randrange(len(names))
                wrong += check(case, "without a kill")
                continue
            at = [(start + number) % len(names)]
            at += [random_.randrange(len(names))] if random_.random() < 1 / 3 else []
            died += sum(in_child(case, kill_at(moment)) == -signal.SIGKILL for moment in at)
            where = f"{names[at[0]]} {at}"
            if (code := in_child(case, None)) != 0:
                wrong.append(f"{where}: not recovered ({code})")
            wrong += check(case, where)
            repeated += len(receiver.ids) - len(set(receiver.ids))
    return {"kills": died, "cases": kills, "moments": len(names), "repeated_requests": repeated} | {
        "names": Counter(name.partition(" ")[2] for name in names),
        "wrong": wrong,
    }


def check(case: Case, where: str) -> Sequence[str]:
    """What is not there exactly once."""
    world = case.world()
    faults = [f"{where}: {name} {world[name]}" for name in EXPECTED if world[name] != EXPECTED[name]]
    ledger = case.place.verify(1)["ledger"]
    return faults if ledger.holds else [*faults, f"{where}: {ledger}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=100)
    options = parser.parse_args()
    logging.getLogger("clearance").setLevel("CRITICAL")
    with tempfile.TemporaryDirectory() as home, pytest.MonkeyPatch.context() as patch:
        place = Place(Path(home).resolve()).enter(patch)
        report = run(place, patch, options.kills, options.seed)
    names = ", ".join(f"{name} {count // 2}" for name, count in report.pop("names").items())
    wrong = report.pop("wrong")
    for fault in wrong:
        print(f"  {fault}")
    print(f"side effects: {names}")
    print(f"{len(wrong)} wrong; " + ", ".join(f"{name} {value}" for name, value in report.items()))
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
