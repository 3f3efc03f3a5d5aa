"""The image, really built and run as its own user: nightly, where buildah and mmdebstrap are installed."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import images
from tests.support.images import Container, Store
from tools import image

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not os.environ.get("CLEARANCE_NIGHTLY"), reason="two builds of an image take ten minutes"
    ),
    pytest.mark.skipif(images.missing() is not None, reason=str(images.missing())),
]
PORT = 18_322


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    """A store with the base image; on a disk and not in memory, because it takes gigabytes."""
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="clearance-images-") as folder:
        store = Store(folder=Path(folder))
        store.make_base()
        yield store


@pytest.fixture(scope="module")
def origin() -> image.Source:
    return image.source("HEAD")


@pytest.fixture(scope="module")
def first(store: Store, origin: image.Source) -> str:
    return store.build("clearance:first", origin.commit)


@pytest.fixture(scope="module")
def container(store: Store, first: str) -> Iterator[Container]:
    """A container of the image, with a project that has been run."""
    made = store.buildah("from", "--name", "clearance-test", "localhost/clearance:first")
    assert made.returncode == 0, made.stderr
    folders = store.folder / "project", store.folder / "scratch"
    for folder in folders:
        folder.mkdir()
        os.chown(folder, 10001, 10001)
    container = Container(store=store, name="clearance-test", project=folders[0], scratch=folders[1])
    done = container.run("clearance", "run")
    assert done.returncode == 4, done.stdout + done.stderr
    yield container
    store.buildah("rm", "clearance-test")


def test_the_labels_name_commit_and_lock(store: Store, first: str, origin: image.Source) -> None:
    shown = store.buildah("inspect", "--type", "image", "localhost/clearance:first")
    labels = json.loads(shown.stdout)["OCIv1"]["config"]["Labels"]
    assert labels["org.opencontainers.image.revision"] == origin.commit
    assert labels["clearance.lock.sha256"] == origin.lock


def test_the_user_of_the_image_can_write_its_project_and_scratch_and_nothing_else(
    container: Container,
) -> None:
    places = ["/opt/clearance/x", "/opt/clearance/venv/lib/x", "/etc/x", "/usr/x", "/x", "/var/x"]
    script = f"for p in {' '.join(places)}; do touch $p 2>/dev/null && echo $p; done; "
    script += "touch /tmp/x /project/x && id -u"
    assert container.run("sh", "-c", script).stdout.split() == ["10001"]
    (container.project / "x").unlink()


def test_the_bill_in_the_image_is_of_what_is_installed(container: Container) -> None:
    script = (
        "import json,importlib.metadata as m;b=json.load(open('/opt/clearance/sbom.cdx.json'))['components'];"
    )
    script += "print([c['name'] for c in b if m.version(c['name'])!=c['version']], len(b))"
    done = container.run("python", "-c", script)
    faults, _, number = done.stdout.rpartition(" ")
    assert faults == "[]", done.stdout + done.stderr
    assert int(number) > 200


def test_a_run_in_the_image_has_the_verdict_of_the_repository(container: Container) -> None:
    verdict = json.loads((container.project / "reports/verdict.json").read_text())
    assert verdict["verdict"] == "insufficient_evidence"
    status = subprocess.run(
        ["git", "-c", "safe.directory=*", "status", "--short"],
        cwd=container.project, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert status.stdout == "", "dvc.lock is byte for byte what is committed"


def test_the_champion_verifies_and_is_served(container: Container) -> None:
    until = (dt.datetime.now(dt.UTC).date() + dt.timedelta(days=10)).isoformat()
    for person in ("rita", "vera"):
        words = ["override", "1", "--as", person, "--reason", "pilot", "--until", until]
        assert container.run("clearance", *words).returncode == 0
    done = container.run("clearance", "verify")
    assert done.returncode == 0, done.stdout + done.stderr
    command = container.command("clearance", "serve", "--port", str(PORT))
    server = subprocess.Popen(command, env=container.store.environ(), start_new_session=True)
    try:
        assert ready(server)
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(60)


def ready(server: subprocess.Popen[bytes]) -> bool:
    end = time.monotonic() + 300
    while time.monotonic() < end and server.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/readyz", timeout=5) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    return False


def test_a_second_build_without_a_cache_is_the_same_image(
    store: Store, first: str, origin: image.Source
) -> None:
    assert store.build("clearance:second", origin.commit) == first


def test_an_archive_of_the_image_can_be_carried_elsewhere(store: Store, first: str) -> None:
    archive = store.folder / "clearance.tar"
    pushed = store.buildah("push", "localhost/clearance:first", f"oci-archive:{archive}")
    assert pushed.returncode == 0, pushed.stderr
    assert archive.stat().st_size > 1 << 20
