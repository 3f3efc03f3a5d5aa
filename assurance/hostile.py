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
        self.places = {each.name: self._place(at, port) for at, each in enumerate(CASES)}

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
        found = mark.exists()
        mark.unlink(missing_ok=True)
        return found

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
        for each in hostile_folders.ALL:
            place = self.places[each.name]
            shutil.copytree(model, copy := place.mark.with_name("folder"))
            each.plant(copy, place)
            self.fired(each.name)
            if each.fire:
                work[str(copy.relative_to(self.folder))] = each.fire
        (self.folder / "list.json").write_text(json.dumps(work))
        command = [sys.executable, "-m", "assurance.hostile_payloads", str(self.folder)]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=600)
        return {each.name: self.fired(each.name) if each.fire else None for each in CASES}


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
            done = release.release(self.root, DAY)
        except ClearanceError as error:
            return error.fault
        return "" if done["is_champion"] else done["reason"]

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
    shutil.copytree(model, kept := root.with_name("kept"))
    return Target(root, model, kept)


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


def meet_folder(range_: Range, aim: Target, each: hostile_folders.Folder) -> Found:
    """Release the project with the payload in MLflow's copy of the model."""
    place = range_.places[each.name]
    for left in place.mark.parent.glob("*"):
        if left.name in ("code", "outside.skops"):
            shutil.rmtree(left) if left.is_dir() else left.unlink()
    with aim.with_model(lambda model: each.plant(model, place)):
        range_.fired(each.name)
        refusal = aim.release()
    return Found(name=each.name, kind="folder", live=None, release=refusal, fired=range_.fired(each.name))


def study(scratch: Path) -> list[Found]:
    """Every payload, run the careless way and met by us."""
    with pytest.MonkeyPatch.context() as patch:
        aim = target(scratch / "project", patch)
        (scratch / "range").mkdir()
        with range_at(scratch / "range") as range_:
            live = range_.live(aim.kept)
            met = [meet_file(range_, aim, each) for each in hostile_payloads.ALL]
            met += [meet_folder(range_, aim, each) for each in hostile_folders.ALL]
        assert aim.champion() is None, "a hostile model became champion"  # noqa: S101
        assert aim.release() == "", "the honest model is refused"  # noqa: S101
    return [replace(each, live=live[each.name]) for each in met]


def run(scratch: Path, _seeds: Sequence[int], _write: bool) -> int:
    """Print the tally by class and each payload that broke a promise; returns how many did."""
    found = study(scratch)
    print("hostile models    payloads  live (of those that can)  refused  fired")
    for kind in dict.fromkeys(each.kind for each in found):
        print(_line(kind, [each for each in found if each.kind == kind]))
    print(_line("all", found))
    broken = [case for case in found if case.fired or not case.refused or case.live is False]
    for case in broken:
        print(f"  broken promise: {case}")
    return len(broken)


def _line(kind: str, found: Sequence[Found]) -> str:
    can = [each for each in found if each.live is not None]
    live = f"{sum(bool(each.live) for each in can)} of {len(can)}"
    refused = sum(each.refused for each in found)
    return f"  {kind:15} {len(found):8} {live:>25} {refused:8} {sum(each.fired for each in found):6}"
