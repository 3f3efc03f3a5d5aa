"""Models on disk: skops archives in one canonical form, loaded by digest and our own list of types.

Nothing here unpickles, a file never decides which types it may load, and a file is read once: the bytes whose
digest was checked are the bytes that are loaded.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import skops.io
from sklearn.model_selection import FixedThresholdClassifier

from clearance import files, paths
from clearance.models import faults, scoring, tree_checks
from clearance.models import trusted_types as trust
from clearance.models.boosters import catboost_binary, skops_nodes
from clearance.models.trusted_types import MORE_TRUSTED, trusted_types

LARGEST = 4 << 30
"""The largest file that is read, in bytes."""

_SCHEMA = "schema.json"
_MEMBER = re.compile(r"schema\.json|[0-9]+\.(npy|npz|bin)")
_ARRAY = re.compile(r"[a-z_]+\.npy")
_EPOCH = (1980, 1, 1, 0, 0, 0)
MALFORMED = (
    zipfile.BadZipFile,
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    NotImplementedError,  # zipfile: a compression or a version it does not know
    OSError,
    RecursionError,
    RuntimeError,
    TypeError,  # skops: an untrusted type is one
    ValueError,
)
"""What a crafted or damaged archive may raise."""


def save(model: Any, path: Path, more_trusted: Path = MORE_TRUSTED) -> str:
    """Write a fitted model and return the file's SHA-256.

    Equal models give equal bytes, in whichever process. Raises ConfigurationError when the model holds
    something that cannot be stored without pickle, or a type that `load` would refuse.
    """
    try:
        content = canonical(skops.io.dumps(model))
        _check_boosters(_members(content))
        tree_checks.check(model)
    except (TypeError, AttributeError, ValueError) as error:
        raise faults.NOT_STORABLE(kind=_name(type(model)), reason=str(error)) from None
    untrusted = set(skops.io.get_untrusted_types(data=content)) - set(trusted_types(more_trusted))
    if untrusted:
        entries = (f"\n    - {{type: {name}, reason: why it may be loaded}}" for name in sorted(untrusted))
        raise faults.UNTRUSTED_TYPES(
            types=", ".join(sorted(untrusted)), more_trusted=more_trusted, entries="".join(entries)
        )
    with files.replacing(path) as temporary:
        temporary.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def with_threshold(pipeline: Any, threshold: float) -> FixedThresholdClassifier:
    """The fitted pipeline as it ships: `predict` decides favourably from the score `threshold` on.

    `predict_proba` gives the scores as the pipeline does.
    """
    return FixedThresholdClassifier(
        pipeline, threshold=float(threshold), pos_label=scoring.FAVOURABLE, response_method="predict_proba"
    )


def load_scorer(path: Path, sha256: str, threshold: float, more_trusted: Path = MORE_TRUSTED) -> Any:
    """The fitted pipeline in a model file, which gives the scores; see `load`.

    The file holds it alone where an earlier release wrote it. Raises IntegrityError as `load` does, and when
    the model in the file decides at another threshold than the judged one.
    """
    model = load(path, sha256, more_trusted)
    if not isinstance(model, FixedThresholdClassifier):
        return model
    if model.threshold != threshold:
        raise faults.ANOTHER_THRESHOLD(path=path, threshold=model.threshold, judged=threshold)
    return model.estimator


def load(path: Path, sha256: str, more_trusted: Path = MORE_TRUSTED) -> Any:
    """Read the model whose file has this SHA-256.

    Loading runs no code from the file. Raises IntegrityError when the file is missing, differs from the
    digest, is not a canonical archive, holds a type that is not trusted, or trees that point outside
    themselves. Raises ConfigurationError when the model's library is an optional one that is not installed.
    """
    content = _read(path, sha256)
    try:
        return loaded(content, more_trusted)
    except MALFORMED as error:
        if isinstance(error, ImportError) and error.name in paths.EXTRA_LOCKS:
            raise faults.EXTRA_NOT_INSTALLED(extra=error.name) from None
        raise faults.NOT_LOADABLE(path=path, reason=reason_of(error), more_trusted=more_trusted) from None


def loaded(content: bytes, more_trusted: Path = MORE_TRUSTED) -> Any:
    """The model in a canonical archive; runs no code of it. Raises one of `MALFORMED` on other bytes."""
    members = _members(content)
    trust.check_nodes(json.loads(members[_SCHEMA]))
    _check_boosters(members)
    model = skops.io.loads(content, trusted=list(trusted_types(more_trusted)))
    tree_checks.check(model)
    return model


def _check_boosters(members: Mapping[str, bytes]) -> None:
    skops_nodes.check(json.loads(members[_SCHEMA]), members)


def reason_of(error: Exception) -> str:
    """What was found in a malformed file, in one line."""
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"


def canonical(saved: bytes) -> bytes:
    """The same skops archive without anything that differs between two runs.

    Object ids are left out, arrays are named in the order of their first use and stored once each, sets are
    sorted, padding is zero, and the zip holds no dates and is not compressed.
    """
    with zipfile.ZipFile(io.BytesIO(saved)) as source:
        members: dict[bytes, str] = {}
        schema = _plain(json.loads(source.read(_SCHEMA)), source, members)
    files = {name: content for content, name in members.items()}
    return archive({_SCHEMA: json.dumps(schema, separators=(",", ":")).encode(), **files})


def archive(members: Mapping[str, bytes]) -> bytes:
    """A zip of these members in the only form that `load` accepts: uncompressed, undated, without gaps."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as target:
        for name, content in members.items():
            target.writestr(zipfile.ZipInfo(name, _EPOCH), content)
    return buffer.getvalue()


def _plain(node: Any, source: zipfile.ZipFile, members: dict[bytes, str]) -> Any:
    """A schema node without ids; `members` collects the content of its files under new names."""
    if isinstance(node, list):
        return [_plain(inner, source, members) for inner in node]
    if not isinstance(node, dict):
        return node
    if "__loader__" not in node:
        return {key: _plain(inner, source, members) for key, inner in node.items()}
    plain = {key: _plain(inner, source, members) for key, inner in node.items() if key != "__id__"}
    if "file" in node:
        suffix = Path(node["file"]).suffix
        content = _unpacked(source.read(node["file"]), suffix)
        plain["file"] = members.setdefault(content, f"{len(members)}{suffix}")
    if node["__loader__"] == "SetNode":
        plain["content"] = sorted(plain["content"], key=json.dumps)
    return plain


def _unpacked(content: bytes, suffix: str) -> bytes:
    """The content of a member with zeros for unused memory, without times, and never compressed."""
    if content.startswith(catboost_binary.MARK):
        return catboost_binary.without_times(content)
    if suffix != ".npz":
        return _without_padding(content)
    with zipfile.ZipFile(io.BytesIO(content)) as source:
        return archive({name: source.read(name) for name in source.namelist()})


def _without_padding(content: bytes) -> bytes:
    """An array of records with zeros between their fields, where memory may hold anything; else unchanged."""
    if not content.startswith(np.lib.format.MAGIC_PREFIX):
        return content
    array = np.load(io.BytesIO(content), allow_pickle=False)
    if not array.dtype.names:
        return content
    clean = np.zeros(array.shape, array.dtype)
    for name in array.dtype.names:
        clean[name] = array[name]
    buffer = io.BytesIO()
    np.save(buffer, clean, allow_pickle=False)
    return buffer.getvalue()


def _read(path: Path, sha256: str) -> bytes:
    if not path.is_file():  # reading a pipe could block for ever
        raise files.MISSING(path=path)
    if path.stat().st_size > LARGEST:
        raise faults.FILE_TOO_LARGE(path=path, limit=LARGEST)
    content = path.read_bytes()
    actual = hashlib.sha256(content).hexdigest()
    if actual != sha256:
        raise files.CHANGED(path=path, actual=actual, recorded=sha256)
    return content


def _members(content: bytes, allowed: re.Pattern[str] = _MEMBER) -> dict[str, bytes]:
    """The members of an archive. Raises ValueError unless `archive` wrote it: no paths, no bombs.

    Anything in the file besides its members (a program before them, a second name, a link) is detected,
    because writing the members again gives other bytes.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as source:
        if problems := list(_problems(source.infolist(), allowed)):
            raise ValueError("; ".join(problems))
        members = {name: source.read(name) for name in source.namelist()}
    if archive(members) != content:
        raise ValueError("it holds more than its members")
    for name, inner in members.items():
        if name.endswith(".npz"):
            _members(inner, _ARRAY)
    return members


def _problems(members: list[zipfile.ZipInfo], allowed: re.Pattern[str]) -> Iterator[str]:
    names = [member.filename for member in members]
    if len(set(names)) != len(names):
        yield "a name occurs twice"
    if allowed is _MEMBER and _SCHEMA not in names:
        yield f"{_SCHEMA} is not in it"
    for member in members:
        if not allowed.fullmatch(member.filename):
            yield f"{member.filename!r} is not allowed in it"
        if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
            yield f"{member.filename!r} is compressed"


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
