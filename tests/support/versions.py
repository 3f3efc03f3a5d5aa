"""The record of a run, as a version's evidence carries it, and forgeries of it."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import yaml

from clearance import files
from clearance import yaml as yaml12
from clearance.reproduction.rebuild_record import RebuildRecord
from clearance.versioning import digests, dvc_lock, pipeline_state


def git(root: Path, *arguments: str, who: str = "Ann <ann@example.org>") -> str:
    """Run git there as somebody; what it printed."""
    name, _, mail = who.removesuffix(">").partition(" <")
    identity = ("-c", f"user.name={name}", "-c", f"user.email={mail}")
    result = subprocess.run(
        ["git", *identity, *arguments], cwd=root, check=True, capture_output=True, text=True
    )
    return result.stdout.strip()


def record(root: Path, commit: str | None = None) -> RebuildRecord:
    """What the evidence of the run at `root` would say."""
    lock = (root / "dvc.lock").read_text()
    return RebuildRecord(
        commit=commit or git(root, "rev-parse", "HEAD"),
        lock=lock,
        params=(root / "params.yaml").read_text(),
        overrides=yaml12.loads((root / "params.yaml").read_text())["overrides"],
        environment=files.sha256(root / "requirements.lock"),
        outs={path: files.sha256(root / path) for path in dvc_lock.parse(lock).outs},
    )


def of_state(verified: pipeline_state.PipelineState) -> RebuildRecord:
    """The same from what a release verifies."""
    return record(verified.root).model_copy(update={"deps": dict(verified.deps), "outs": dict(verified.outs)})


def forge(root: Path, true: RebuildRecord, path: str, content: bytes | Mapping[str, bytes]) -> RebuildRecord:
    """The record of a run that wrote `content` at `path`, as consistent as a forger can make it.

    The objects, of a file or of a folder's files, lie in DVC's cache under their own names, and lock and
    digests say the same.
    """
    with tempfile.TemporaryDirectory() as home:
        place = Path(home) / "forged"
        if isinstance(content, bytes):
            place.write_bytes(content)
        else:
            listing = []
            for name, inner in sorted(content.items()):
                file = place / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(inner)
                listing.append({"md5": _keep(root, digests.md5(file), inner), "relpath": name})
            _keep(root, digests.md5(place), json.dumps(listing).encode())
        name, sha256 = digests.md5(place), files.sha256(place)
    if isinstance(content, bytes):
        _keep(root, name, content)
    lock = yaml.safe_load(true.lock)
    for stage in lock["stages"].values():
        for entry in (*stage.get("deps", ()), *stage["outs"]):
            if entry["path"] == path:
                entry["md5"] = name
    return true.model_copy(update={"lock": yaml.safe_dump(lock), "outs": {**true.outs, path: sha256}})


def _keep(root: Path, name: str, content: bytes) -> str:
    item = root / ".dvc/cache/files/md5" / name[:2] / name[2:]
    item.parent.mkdir(parents=True, exist_ok=True)
    if not item.exists():
        item.write_bytes(content)
    return name
