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
import pyarrow as pa
import pyarrow.compute as pc

from clearance.data.tables import prepared, row_ids

SPLITS = ("train", "tune")
"""The rows that a model was made from."""


def name(split: str) -> str:
    """The path of the rows of a split among the artefacts of the run."""
    return f"rows/{split}.bin"


def read(root: Path) -> dict[str, bytes]:
    """The hashes of the rows of each of `SPLITS` of the project at `root`.

    Raises what `prepared.tables` raises.
    """
    by_split = prepared.read_keys(root)
    return {split: pack(by_split[split]) for split in SPLITS}


def pack(hashes: pa.Array | Iterable[str]) -> bytes:
    """Row hashes, texts of 32 hexadecimal digits, as bytes in ascending order."""
    digests = row_ids.from_hexadecimal(hashes)
    return bytes(digests[row_ids.sorting(digests).order].tobytes())


def digest(packed: bytes) -> str:
    """The SHA-256 that `reports/split.json` records of these rows, as `row_digests`."""
    return hashlib.sha256(packed.hex().encode()).hexdigest()


def contained(hashes: pa.Array | Iterable[str], packed: Iterable[bytes]) -> npt.NDArray[np.bool_]:
    """Which of the row hashes (n,) are among those in any of `packed`."""
    queried = row_ids.from_hexadecimal(hashes)
    among = pc.is_in(_fixed(queried.tobytes()), value_set=_fixed(b"".join(packed)))
    return np.asarray(among.to_numpy(zero_copy_only=False), dtype=np.bool_)


def _fixed(content: bytes) -> pa.Array:
    kind = pa.binary(row_ids.DIGEST_BYTES)
    return pa.Array.from_buffers(kind, len(content) // row_ids.DIGEST_BYTES, [None, pa.py_buffer(content)])
