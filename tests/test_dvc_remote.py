"""What was pushed is read back: a corrupted, cut or missing object is sent again or named, never believed."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from dvc.repo import Repo

from clearance.versioning import cache_gc as collection
from clearance.versioning import digests, dvc_remote
from tests.support import codes, judged

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")  # DVC's own

MODEL = "models/trained/model.skops"
Damage = Callable[[Path], object]


@pytest.fixture
def pushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A judged project, all of it at its remote."""
    return at_remote(tmp_path, monkeypatch)


def at_remote(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = judged.settle(folder / "project", monkeypatch)
    with Repo(str(root)) as repo, repo.config.edit() as config:
        config["remote"]["store"] = {"url": str(folder / "store")}
        config["core"]["remote"] = "store"
    dvc_remote.push(root)
    return root


def objects(place: Path) -> dict[str, bytes]:
    files = (path for path in place.rglob("*") if path.is_file())
    return {path.relative_to(place).as_posix(): path.read_bytes() for path in files}


def kept(place: Path, name: str) -> Path:
    return place / "files/md5" / name[:2] / name[2:]


def flip(item: Path) -> None:
    """Another content of the same size."""
    content = bytearray(item.read_bytes())
    content[len(content) // 2] ^= 1
    replace(item, bytes(content))


def cut(item: Path) -> None:
    replace(item, item.read_bytes()[:-1])


def empty(item: Path) -> None:
    replace(item, b"")


def replace(item: Path, content: bytes) -> None:
    """Write it and leave the mode and the time, by which DVC takes an object for sound."""
    status = item.stat()
    item.chmod(0o644)
    item.write_bytes(content)
    os.utime(item, ns=(status.st_atime_ns, status.st_mtime_ns))
    item.chmod(status.st_mode & 0o777)


def test_a_push_says_how_much_was_read_back(pushed: Path) -> None:
    there = objects(pushed.parent / "store")
    assert dvc_remote.push(pushed) == dvc_remote.PushReport(
        objects=len(there), size=sum(map(len, there.values())), unread=0, resent=()
    )
    assert len(there) > 10


@pytest.mark.parametrize("damage", [flip, cut, empty, Path.unlink])
@pytest.mark.parametrize("path", [MODEL, "models/trained", "reports/verdict.json"])
def test_a_damaged_object_at_the_remote_is_sent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, damage: Damage
) -> None:
    root = at_remote(tmp_path, monkeypatch)
    before = objects(tmp_path / "store")
    damage(kept(tmp_path / "store", digests.md5(root / path)))
    assert objects(tmp_path / "store") != before
    checked = dvc_remote.push(root)
    assert objects(tmp_path / "store") == before
    owner = "models/trained" if path == MODEL else path
    missing_was_pushed = damage is Path.unlink and path != MODEL  # DVC sees that by itself
    assert checked.resent == (() if missing_was_pushed else (owner,))


@pytest.mark.parametrize("damage", [flip, cut])
def test_what_the_cache_cannot_replace_is_named_and_nothing_is_promoted(
    pushed: Path, tmp_path: Path, damage: Damage
) -> None:
    name = digests.md5(pushed / MODEL)
    damage(kept(tmp_path / "store", name))
    damage(kept(pushed / ".dvc/cache", name))
    with codes.raises("versioning.push_corrupt", outputs="models/trained"):
        dvc_remote.push(pushed)


class Store(BaseHTTPRequestHandler):
    """What a web server keeps of a remote: it takes, gives and sizes objects, and lists or removes none."""

    kept: ClassVar[dict[str, bytes]] = {}

    def do_PUT(self) -> None:
        content = b""
        while size := int(self.rfile.readline(), 16):  # it comes in chunks, each after its size
            content += self.rfile.read(size + 2)[:size]
        self.rfile.readline()
        self.kept[self.path] = content
        self.answer(201, b"")

    def do_GET(self) -> None:
        self.answer(200 if self.path in self.kept else 404, self.kept.get(self.path, b""))

    def do_HEAD(self) -> None:
        self.do_GET()

    def answer(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.filterwarnings("ignore:.*ClientSession:pytest.PytestUnraisableExceptionWarning")  # DVC's own
def test_a_remote_on_a_web_server_is_read_back_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = judged.settle(tmp_path / "project", monkeypatch)
    with ThreadingHTTPServer(("127.0.0.1", 0), Store) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            with Repo(str(root)) as repo, repo.config.edit() as config:
                address = f"http://127.0.0.1:{server.server_port}/store"
                config["remote"]["store"] = {"url": address, "method": "PUT"}
                config["core"]["remote"] = "store"
            checked = dvc_remote.push(root)
            assert (checked.objects, checked.resent) == (len(Store.kept), ())
            name = digests.md5(root / MODEL)
            place = f"/store/files/md5/{name[:2]}/{name[2:]}"
            true = Store.kept[place]
            Store.kept[place] = b"x" * len(true)
            assert dvc_remote.push(root).resent == ("models/trained",)
            assert Store.kept[place] == true
            with codes.raises("versioning.remote_cannot_list"):
                collection.collect_garbage(root, [], at_remote=True, dry=False)
        finally:
            server.shutdown()


def test_what_dvc_makes_of_a_file_url_lies_inside_the_project(pushed: Path, tmp_path: Path) -> None:
    with Repo(str(pushed)) as repo, repo.config.edit() as config:
        config["remote"]["store"] = {"url": f"file://{tmp_path / 'elsewhere'}"}
    dvc_remote.push(pushed)
    assert not (tmp_path / "elsewhere").exists()
    assert (pushed / "file:").is_dir()
    assert dvc_remote.default_remote(pushed) == dvc_remote.Remote("store", inside=True)


def test_beyond_the_limit_sizes_are_compared_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = at_remote(tmp_path, monkeypatch)
    there = objects(tmp_path / "store")
    checked = dvc_remote.push(root, read_back=100)
    assert 0 < checked.unread < checked.objects == len(there)
    assert checked.size <= 100
    largest = max(there, key=lambda name: len(there[name]))
    cut(tmp_path / "store" / largest)
    checked = dvc_remote.push(root, read_back=100)
    assert len(checked.resent) == 1
    assert objects(tmp_path / "store") == there
