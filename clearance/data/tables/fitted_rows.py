"""The rows a model was fitted and tuned on, stored with its run: sixteen bytes per row, in ascending order.

With them a comparison never scores a champion on rows it has learnt from. The bytes are verified against the
digest that the split recorded; they reveal no row and no value.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc
import pyarrow.parquet as pq

from clearance import files
from clearance.data.tables import prepared, row_ids

SPLITS = ("train", "tune")
"""The rows that a model was made from."""


def name(split: str) -> str:
    """The path of the rows of a split among the artefacts of the run."""
    return f"rows/{split}.bin"


def read(root: Path, split: str) -> bytes:
    """The hashes of the rows of `split` of the project at `root`. Raises what `prepared.tables` raises."""
    label = root / prepared.FOLDER / "label.parquet"
    files.verify(label, prepared.read_record(root).tables["label"])
    table = pq.read_table(label, columns=list(prepared.KEYS))
    return pack(table.filter(pc.equal(table.column("split"), split)).column("row").to_pylist())


def pack(hashes: Iterable[str]) -> bytes:
    """Row hashes, texts of 32 hexadecimal digits, as bytes in ascending order."""
    digests = _digests(bytes.fromhex("".join(hashes)))
    high, low = row_ids.as_numbers(digests)
    return bytes(digests[np.lexsort((low, high))].tobytes())


def digest(packed: bytes) -> str:
    """The SHA-256 that `reports/split.json` records of these rows, as `row_digests`."""
    return hashlib.sha256(packed.hex().encode()).hexdigest()


def contained(hashes: Iterable[str], packed: Iterable[bytes]) -> npt.NDArray[np.bool_]:
    """Which of the row hashes (n,) are among those in any of `packed`."""
    queried = bytes.fromhex("".join(hashes))
    fitted = b"".join(packed)
    numbers = row_ids.groups(_digests(fitted + queried)) if fitted or queried else np.zeros(0, np.int64)
    size = len(fitted) // row_ids.DIGEST_BYTES
    return np.isin(numbers[size:], numbers[:size])


def _digests(content: bytes) -> npt.NDArray[np.uint8]:
    return np.frombuffer(content, dtype=np.uint8).reshape(-1, row_ids.DIGEST_BYTES)
