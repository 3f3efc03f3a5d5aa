"""The model that decides now: it follows ledger and registry, and verifies a version before it switches.

A request takes the model once and ends with it, so a switch fails no request. Where the new champion does not
verify, the one before goes on while its own permission lasts; where nothing can be asked, for a limited time.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from clearance import ledger, params, paths, registry
from clearance.errors import ClearanceError, TransientError
from clearance.ledger import settings
from clearance.promotion.restrictions import Restriction
from clearance.serving import faults, served_model
from clearance.serving.restriction_reader import RestrictionReader
from clearance.serving.served_model import ServedModel

logger = logging.getLogger(__name__)

INTERVAL = 2.0
"""Seconds between two looks at ledger and registry."""


@dataclass(frozen=True, kw_only=True)
class Status:
    """How things stand: the model, whether it may decide, and what was last wrong.

    `fault` is why no model decides, or why a newer champion was not taken; `unchecked` are the seconds since
    ledger and registry last answered. `stopped`: a failed rule or a person stopped its decisions.
    """

    model: ServedModel | None
    lapsed: bool
    decides: bool
    fault: ClearanceError | None
    unchecked: float
    stopped: bool = False


@dataclass(frozen=True, kw_only=True)
class Sight:
    """What tells whether anything about the champion may have changed: the ledger's head, and the alias."""

    entries: int
    digest: str
    alias: int | None


def look(root: Path) -> Sight:
    """Ledger and registry as they are now. Raises UnavailableError when one does not answer."""
    name = params.load(root / paths.PARAMS).name
    with ledger.open(settings.address(root)) as book:
        entries, digest = ledger.head(book)
    champion = registry.champion(registry.connect(), name)
    return Sight(entries=entries, digest=digest, alias=champion.number if champion else None)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class Champion:
    """Holds the served model. `refresh` looks whether it is still the right one; nobody waits for it."""

    def __init__(
        self,
        root: Path,
        *,
        load: Callable[[Path], ServedModel] = served_model.load_champion,
        look: Callable[[Path], Sight] = look,
        restriction: Callable[[str, int], Restriction | None] | None = None,
        now: Callable[[], dt.datetime] = _now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._root, self._load, self._look = root, load, look
        self._restriction = restriction or RestrictionReader(root)
        self._now, self._monotonic = now, monotonic
        self._model: ServedModel | None = None
        self._fault: ClearanceError | None = None
        self._seen: Sight | None = None
        self._checked = monotonic()
        self._latest = now()
        self._refreshing = threading.Lock()

    def start(self) -> ServedModel:
        """Load the champion, or raise why there is none to serve; also when it may not decide any more.

        One whose decisions are stopped is loaded: it decides as soon as somebody lets it.
        """
        self._seen = self._look(self._root)
        self._model = self._restricted(self._load(self._root))
        self._checked = self._monotonic()
        if not self.status().stopped:
            self.deciding()
        return self._model

    def deciding(self) -> ServedModel:
        """The model that may decide now. Raises ReleaseRefused or UnavailableError when none may."""
        status = self.status()
        if status.model is not None and status.decides:
            return status.model
        if status.stopped and status.model is not None and status.model.restriction is not None:
            raise faults.STOPPED(rule=status.model.restriction.names)
        if status.model is not None and status.lapsed:
            raise faults.LAPSED()
        raise faults.NO_MODEL()

    def status(self) -> Status:
        """How things stand now."""
        model, unchecked = self._model, self._monotonic() - self._checked
        if model is None:
            return Status(model=None, lapsed=False, decides=False, fault=self._fault, unchecked=unchecked)
        self._latest = max(self._latest, self._now())  # a clock that is set back ends no override later
        terms = model.policy.serving
        lapsed = model.lapsed(self._latest)
        stale = unchecked > 60 * terms.unchecked_minutes
        stopped = model.restriction is not None and model.restriction.stops
        decides = not stale and not stopped and (not lapsed or terms.lapsed == "alarm")
        return Status(
            model=model,
            lapsed=lapsed,
            decides=decides,
            fault=self._fault,
            unchecked=unchecked,
            stopped=stopped,
        )

    def refresh(self) -> bool:
        """Look at ledger and registry, and take the champion they name; whether the model is another now.

        Never raises a fault: it is kept for `status`.
        """
        with self._refreshing:
            before = self._model
            try:
                if before is not None:
                    self._model = self._restricted(before)
                seen = self._look(self._root)
                if self._seen is not None and seen.entries < self._seen.entries:
                    raise faults.LEDGER_BEHIND(entries=seen.entries, seen=self._seen.entries)
                if seen != self._seen or self._fault is not None:
                    self._take(self._load(self._root))
                self._seen, self._fault = seen, None
                self._checked = self._monotonic()
            except TransientError as error:
                self._note(error)
            except ClearanceError as error:
                self._note(error)  # nothing was found to hold, so the time since the last check goes on
                if error.code == faults.NO_CHAMPION.code:
                    self._model = None
            return self._model is not before

    def _take(self, model: ServedModel) -> None:
        """Serve this model from now on, unless it is the one that is served under the same permission."""
        before = self._model
        if before is None or before.identity != model.identity:
            self._model = self._restricted(model)

    def _restricted(self, model: ServedModel) -> ServedModel:
        """The model with the restriction that the ledger has for it now; itself where that is no other."""
        restriction = self._restriction(model.name, model.version)
        return model if restriction == model.restriction else replace(model, restriction=restriction)

    def _note(self, error: ClearanceError) -> None:
        if self._fault is None or self._fault.code != error.code:
            logger.warning("the champion could not be checked or taken: %s", error.fault)
        self._fault = error

    def follow(self, stop: threading.Event, interval: float = INTERVAL) -> None:
        """Refresh every `interval` seconds until `stop` is set."""
        while not stop.wait(interval):
            if self.refresh() and (model := self._model):
                logger.info("now serving %s version %d", model.name, model.version)
