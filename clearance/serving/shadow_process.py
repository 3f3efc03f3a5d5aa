"""The process of the challenger: it loads one candidate, then scores rows that come over a socket.

    python -m clearance.serving.shadow_process DESCRIPTOR ROOT VERSION CONTENT

It is a process of its own so that a model that crashes, hangs or fills its memory ends only itself. It has
the lowest priority, no key of a signer or of the inference log, and it ends with the server. One JSON
document a line goes each way.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import resource
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from clearance.errors import ClearanceError, DataError
from clearance.inference_log import settings as log_settings

MEMORY = 8 << 30
"""Most bytes of memory that the process may ask for."""
_PR_SET_PDEATHSIG = 1
HIDDEN = (log_settings.ADDRESS, log_settings.KEY)
"""Variables that this process does not get, beside those of signers."""

logger = logging.getLogger(__name__)


class Stream(Protocol):
    """The parent's end, line by line."""

    def readline(self) -> bytes:
        """The next line; empty at the end."""

    def write(self, data: bytes, /) -> object:
        """Write bytes."""

    def flush(self) -> object:
        """Send what was written."""


def answer(model: Any, rows: Sequence[Mapping[str, Any]]) -> list[list[Any]]:
    """For each row its score and whether the decision is favourable, or the code of the fault."""
    from clearance.serving import request_rows

    typed: list[Any] = []
    for row in rows:
        wanted = {column.name: row[column.name] for column in model.inputs if column.name in row}
        try:
            typed.append(request_rows.typed_row(wanted, model.inputs, "/"))
        except DataError as error:
            typed.append(error.code)
    usable = [row for row in typed if not isinstance(row, str)]
    scores = iter(_scores(model, usable))
    answers: list[list[Any]] = []
    for row in typed:
        result = row if isinstance(row, str) else next(scores)
        answers.append([result] if isinstance(result, str) else [result, model.decide(result)])
    return answers


def _scores(model: Any, rows: Sequence[Any]) -> list[float | str]:
    """The scores together; where a row is refused, one by one."""
    try:
        return list(model.scores(rows)) if rows else []
    except ClearanceError as error:
        if len(rows) == 1:
            return [error.code]
    return [score for row in rows for score in _scores(model, [row])]


def serve(model: Any, stream: Stream) -> None:
    """Answer each line until the other end closes."""
    _send(stream, {"threshold": model.threshold})
    while line := stream.readline():
        _send(stream, {"answers": answer(model, json.loads(line)["rows"])})


def _send(stream: Stream, document: Mapping[str, Any]) -> None:
    stream.write(json.dumps(document).encode() + b"\n")
    stream.flush()


def _bound() -> None:
    """End with the server, give way to it, write no core, and take only so much memory."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    os.nice(19)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def main() -> None:
    """Load the candidate and score what comes; say the code of the fault where it cannot be loaded."""
    descriptor, root, version, content = sys.argv[1:]
    _bound()
    with socket.socket(fileno=int(descriptor)) as connection, connection.makefile("rwb") as stream:
        from clearance.serving import served_model

        try:
            model = served_model.load_version(Path(root), int(version), content)
        except ClearanceError as error:
            logger.warning("the challenger cannot be loaded: %s", error.fault)
            _send(stream, {"fault": error.code})
            return
        serve(model, stream)


if __name__ == "__main__":
    main()
