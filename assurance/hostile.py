"""Hostile models: payloads that a careless loader would run, and whether anything of ours does.

Each is laid out with a mark that it would leave. First all are run the careless way in a child process, to
see that they are live; then the loader reads each under its own digest, and a release meets each in the
project and in MLflow. Nothing is timed.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from assurance import hostile_folders, hostile_payloads
from clearance import registry
from clearance.errors import ClearanceError
from clearance.models import model_file
from clearance.promotion import release
from tasks import track
from tests.support import judged

ROOT = Path(__file__).resolve().parent.parent
DAY = dt.date(2026, 11, 30)
NAME = "loan-approval"
CASES: list[hostile_payloads.Payload | hostile_folders.Folder] = [*hostile_payloads.ALL, *hostile_folders.ALL]


@dataclass(frozen=True, kw_only=True)
class Found:
    """What came of one payload: ran the careless way (None: it is of no such kind), refused, ran with us."""

    name: str
    kind: str
    live: bool | None
    loader: str = ""
    release: str = ""
    fired: bool = False

    @property
    def refused(self) -> bool:
        return bool(self.release) and (bool(self.loader) or self.kind == "folder")


class Range:
    """A folder with every payload laid out, modules planted and a listener on loopback."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        (folder / "modules").mkdir()
        self.places = {case.name: self._place(at, port) for at, case in enumerate(CASES)}

    def _place(self, at: int, port: int) -> hostile_payloads.Place:
        home = self.folder / f"{at:03}"
        home.mkdir()
        place = hostile_payloads.Place(home / "mark", f"planted_{at:03}", port)
        (self.folder / f"modules/{place.module}.py").write_text(hostile_payloads.planted(place))
        return place

    def file(self, payload: hostile_payloads.Payload) -> Path:
        """The payload as a file of the name that a model has."""
        path = self.places[payload.name].mark.with_name("model.skops")
        if not path.exists():
            path.write_bytes(payload.make(self.places[payload.name]))
        return path

    def fired(self, name: str) -> bool:
        """Whether the payload has left its mark since this was last asked."""
        mark = self.places[name].mark
        exists = mark.exists()
        mark.unlink(missing_ok=True)
        return exists

    def live(self, model: Path) -> dict[str, bool | None]:
        """Which payloads leave their mark when they are run the careless way, all in one child process.

        `model` is an honest MLflow model folder to plant the others in.
        """
        work = {}
        for payload in hostile_payloads.ALL:
            path = self.file(payload)
            self.fired(payload.name)  # whoever made it may have
            if payload.fire:
                work[str(path.relative_to(self.folder))] = payload.fire
        for folder in hostile_folders.ALL:
            place = self.places[folder.name]
            shutil.copytree(model, copy := place.mark.with_name("folder"))
            folder.plant(copy, place)
            self.fired(folder.name)
            if folder.fire:
                work[str(copy.relative_to(self.folder))] = folder.fire
        (self.folder / "list.json").write_text(json.dumps(work))
        command = [sys.executable, "-m", "assurance.hostile_payloads", str(self.folder)]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=600)
        return {folder.name: self.fired(folder.name) if folder.fire else None for folder in CASES}


@contextlib.contextmanager
def range_at(folder: Path) -> Iterator[Range]:
    """A range in the empty `folder`; its planted modules may be imported, a connection leaves a mark."""
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.MonkeyPatch.context() as patch:
        threading.Thread(target=_listen, args=(server,), daemon=True).start()
        patch.syspath_prepend(str(folder / "modules"))
        yield Range(folder, server.getsockname()[1])


def _listen(server: socket.socket) -> None:
    """Whoever connects names a mark, and it is left."""
    with contextlib.suppress(OSError):
        while True:
            with server.accept()[0] as connection:
                text = b"".join(iter(lambda: connection.recv(4096), b""))
                Path(text.decode()).touch()
                connection.sendall(b".")


@dataclass(frozen=True)
class Target:
    """A judged project with a tracked model: what a release acts on."""

    root: Path
    model: Path
    kept: Path

    def release(self) -> str:
        """What a release says against it; nothing when it promotes."""
        try:
            receipt = release.release(self.root, DAY)
        except ClearanceError as error:
            return error.fault
        return "" if receipt["is_champion"] else receipt["reason"]

    def champion(self) -> Any:
        return registry.champion(registry.connect(), NAME)

    @contextlib.contextmanager
    def with_model(self, change: Callable[[Path], None]) -> Iterator[None]:
        """MLflow's copy of the model folder, changed for a while."""
        change(self.model)
        yield
        shutil.rmtree(self.model)
        shutil.copytree(self.kept, self.model)

    @contextlib.contextmanager
    def with_file(self, content: bytes) -> Iterator[None]:
        """The project's model file with other content for a while."""
        path = self.root / "models/trained/model.skops"
        before = path.read_bytes()
        path.unlink()
        path.write_bytes(content)
        yield
        path.unlink()
        path.write_bytes(before)


def target(root: Path, patch: pytest.MonkeyPatch) -> Target:
    """A judged, tracked project at `root`, the working folder from now on."""
    judged.settle_with_store(root, patch)
    track.main()
    (model,) = (root / "mlruns").glob("*/models/*/artifacts")
    shutil.copytree(model, original := root.with_name("kept"))
    return Target(root, model, original)


def loaded(path: Path) -> str:
    """What the loader says against the file, whose digest is the recorded one; nothing when it loads it."""
    try:
        model_file.load(path, hashlib.sha256(path.read_bytes()).hexdigest())
    except ClearanceError as error:
        return error.fault
    return ""


def meet_file(range_: Range, aim: Target, payload: hostile_payloads.Payload) -> Found:
    """Load the payload, and release the project with it in the model's place."""
    path = range_.file(payload)
    range_.fired(payload.name)
    against = loaded(path)
    with aim.with_file(path.read_bytes()):
        refusal = aim.release()
    fired = range_.fired(payload.name)
    return Found(
        name=payload.name, kind=payload.kind, live=None, loader=against, release=refusal, fired=fired
    )


def meet_folder(range_: Range, aim: Target, folder: hostile_folders.Folder) -> Found:
    """Release the project with the payload in MLflow's copy of the model."""
    place = range_.places[folder.name]
    for leftover in place.mark.parent.glob("*"):
        if leftover.name in ("code", "outside.skops"):
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
    with aim.with_model(lambda model: folder.plant(model, place)):
        range_.fired(folder.name)
        refusal = aim.release()
    return Found(name=folder.name, kind="folder", live=None, release=refusal, fired=range_.fired(folder.name))


def study(scratch: Path) -> list[Found]:
    """Every payload, run the careless way and met by us."""
    with pytest.MonkeyPatch.context() as patch:
        aim = target(scratch / "project", patch)
        (scratch / "range").mkdir()
        with range_at(scratch / "range") as range_:
            live = range_.live(aim.kept)
            findings = [meet_file(range_, aim, payload) for payload in hostile_payloads.ALL]
            findings += [meet_folder(range_, aim, folder) for folder in hostile_folders.ALL]
        assert aim.champion() is None, "a hostile model became champion"  # noqa: S101
        assert aim.release() == "", "the honest model is refused"  # noqa: S101
    return [replace(finding, live=live[finding.name]) for finding in findings]


def run(scratch: Path, _seeds: Sequence[int], _write: bool) -> int:
    """Print the tally by class and each payload that broke a promise; returns how many did."""
    findings = study(scratch)
    print("hostile models    payloads  live (of those that can)  refused  fired")
    for kind in dict.fromkeys(finding.kind for finding in findings):
        print(_line(kind, [finding for finding in findings if finding.kind == kind]))
    print(_line("all", findings))
    broken_cases = [case for case in findings if case.fired or not case.refused or case.live is False]
    for case in broken_cases:
        print(f"  broken promise: {case}")
    return len(broken_cases)


def _line(kind: str, findings: Sequence[Found]) -> str:
    can = [finding for finding in findings if finding.live is not None]
    live = f"{sum(bool(finding.live) for finding in can)} of {len(can)}"
    refused = sum(finding.refused for finding in findings)
    return (
        f"  {kind:15} {len(findings):8} {live:>25} {refused:8} {sum(finding.fired for finding in findings):6}"
    )
