"""Seals the log of decisions into the ledger while the server runs, where its identity may.

A fault is told and tried again; it never stops a decision. Without the right, somebody else seals:
`clearance decisions seal` on a schedule.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from clearance.errors import ClearanceError
from clearance.inference_log import InferenceLog
from clearance.promotion import inference_trail, session
from clearance.trust.roles import Right

logger = logging.getLogger(__name__)

INTERVAL = 60.0
"""Seconds between two looks whether a segment is due."""


def may_seal(root: Path) -> bool:
    """Whether the identity of this process may seal."""
    try:
        with session.open_session(root) as acting:
            return acting.may(Right.PROMOTE)
    except ClearanceError:
        return False


def follow(root: Path, log: InferenceLog, name: str, stop: threading.Event) -> None:
    """Seal what is due every `INTERVAL` seconds until `stop` is set."""
    if not may_seal(root):
        logger.warning("this identity may not seal decisions: run `clearance decisions seal` on a schedule")
        return
    told = ""
    while not stop.wait(INTERVAL):
        try:
            with session.open_session(root) as acting:
                inference_trail.seal(acting, log, name, everything=False)
            told = ""
        except ClearanceError as error:
            if error.code != told:
                logger.warning("decisions could not be sealed: %s", error.fault)
            told = error.code
