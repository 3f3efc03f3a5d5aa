"""What kind of file a model came in, by its name or as declared, and by its first bytes.

Nothing is loaded: a file that would run code is refused by what it is.
"""

from __future__ import annotations

from pathlib import Path

from clearance import params
from clearance.data import external_file
from clearance.models.external import faults
from clearance.params.external import SUFFIXES, Format

_CODE = {b"\x80": "pickle", b"\x93NUMPY": "NumPy file"}
_PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
_ZIP = b"PK\x03\x04"
_CODE_SUFFIXES = (
    ".pkl",
    ".pickle",
    ".joblib",
    ".dill",
    ".cloudpickle",
    ".pt",
    ".pth",
    ".h5",
    ".keras",
)
_CATBOOST = b"CBM1"


def format_of(external: params.External) -> Format:
    """The format of the file. Raises ConfigurationError on one that would run code, or that nobody knows."""
    path = Path(external.file)
    kind = external.known_format
    if path.is_dir() and (path / "MLmodel").is_file():
        external_file.checked(external.file, folder_allowed=True)
        return "mlflow"
    if path.suffix.lower() == ".cbm":
        raise faults.CATBOOST_FILE(path=path)
    if path.suffix.lower() in _CODE_SUFFIXES:
        raise faults.RUNS_CODE(path=path, kind=f"{path.suffix[1:]} file")
    external_file.checked(external.file)
    with path.open("rb") as file:
        start = file.read(6)
    if start.startswith(_CATBOOST):
        raise faults.CATBOOST_FILE(path=path)
    for magic, name in _CODE.items():
        if start.startswith(magic):
            raise faults.RUNS_CODE(path=path, kind=name)
    for magic, name in _PACKED.items():
        if start.startswith(magic) and kind != "table":
            raise faults.PACKED(path=path, kind=name)
    if kind is None:
        raise faults.UNKNOWN_FORMAT(path=path, suffixes=", ".join(SUFFIXES))
    if (kind == "skops") != start.startswith(_ZIP):
        reason = "it is a zip archive" if kind != "skops" else "it is no zip archive"
        raise faults.WRONG_FORMAT(path=path, format=kind, reason=reason)
    return kind
