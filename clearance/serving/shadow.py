"""The challenger scores the traffic in shadow: off the request path, recorded, never answered.

What was decided is offered to a bounded queue after it is on record; a request never waits for more than
that. A thread hands it to the challenger's own process and puts the scores on record. What is not scored is
counted with its reason. The challenger is followed like the champion: the ledger and the alias name it.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import prometheus_client

from clearance import isolation, ledger, params, paths, registry
from clearance.errors import ClearanceError, DataError, TransientError
from clearance.inference_log import Inference, InferenceLog, ModelReference, ShadowScore, records
from clearance.ledger import settings
from clearance.promotion import challenger, session, version_record
from clearance.promotion.challenger import Challenger
from clearance.serving import faults
from clearance.serving.champion import INTERVAL
from clearance.serving.live_counts import LiveCounts
from clearance.serving.shadow_process import HIDDEN
from clearance.serving.shadow_summary import LOST, PAIRS

logger = logging.getLogger(__name__)

WAITING = 2_000
"""Most decisions that wait for the challenger; more are counted as lost."""
TOGETHER = 64
"""Most rows that the challenger is handed at once."""
SECONDS_TO_LOAD = 300.0
SECONDS_TO_SCORE = 30.0
"""How long the challenger may take for one batch; then it is killed."""
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
_LOOK_FOR_WORK = 0.2


class Scorer(Protocol):
    """A loaded challenger, wherever it runs."""

    named: Challenger
    threshold: float

    def score(self, rows: Sequence[dict[str, Any]]) -> list[list[Any]]:
        """For each row its score and whether it is favourable, or the code of a fault alone.

        Raises UnavailableError when the challenger is gone or too slow; it is of no use then.
        """

    def lives(self) -> bool:
        """Whether it can be asked."""

    def close(self) -> None:
        """End it, whatever it does."""


class ScorerProcess:
    """The challenger in a process of its own."""

    def __init__(
        self,
        command: Callable[[int], Sequence[str]],
        named: Challenger,
        *,
        folder: Path,
        seconds_to_load: float = SECONDS_TO_LOAD,
        seconds_to_score: float = SECONDS_TO_SCORE,
    ) -> None:
        self.named = named
        self._seconds = seconds_to_score
        self._socket, theirs = socket.socketpair()
        self._received = b""
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                list(command(theirs.fileno())),
                cwd=folder,
                env=_variables(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        try:
            hello = self._receive(time.monotonic() + seconds_to_load)
            if "fault" in hello:
                raise faults.CHALLENGER_UNUSABLE(version=named.version, code=hello["fault"])
            self.threshold = float(hello["threshold"])
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    def score(self, rows: Sequence[dict[str, Any]]) -> list[list[Any]]:
        """As `Scorer.score`."""
        deadline = time.monotonic() + self._seconds
        try:
            self._socket.settimeout(self._seconds)
            self._socket.sendall(json.dumps({"rows": list(rows)}).encode() + b"\n")
        except OSError:
            raise self._lost() from None
        results = self._receive(deadline).get("answers")
        if not isinstance(results, list) or len(results) != len(rows):
            raise self._lost()
        return results

    def lives(self) -> bool:
        """As `Scorer.lives`."""
        return self._process.poll() is None

    def close(self) -> None:
        """As `Scorer.close`."""
        with suppress(OSError):
            self._process.kill()
        self._process.wait()
        self._socket.close()

    def _receive(self, deadline: float) -> dict[str, Any]:
        while b"\n" not in self._received:
            try:
                self._socket.settimeout(max(0.001, deadline - time.monotonic()))
                part = self._socket.recv(1 << 16)
            except OSError:
                part = b""
            if not part:
                raise self._lost()
            self._received += part
        line, _, self._received = self._received.partition(b"\n")
        try:
            document = json.loads(line)
        except ValueError:
            raise self._lost() from None
        return document if isinstance(document, dict) else {}

    def _lost(self) -> ClearanceError:
        return faults.CHALLENGER_LOST(version=self.named.version)


def start(root: Path, named: Challenger) -> ScorerProcess:
    """Start the process of the challenger of the project at `root` and wait until it has loaded the model.

    Raises UnavailableError when it ends or takes too long, ConfigurationError when it cannot be loaded.
    """

    def command(descriptor: int) -> Sequence[str]:
        module = ("-m", "clearance.serving.shadow_process")
        words = (str(descriptor), str(root), str(named.version), named.content)
        return isolation.command(*module, *words)

    return ScorerProcess(command, named, folder=root)


def _variables() -> dict[str, str]:
    given = isolation.effect_variables(os.environ, signs=False)
    return {name: value for name, value in given.items() if name not in HIDDEN}


def look(root: Path) -> Any:
    """What tells whether anything about the challenger may have changed: the ledger's head, and the alias."""
    name = params.load(root / paths.PARAMS).name
    with ledger.open(settings.address(root)) as book:
        head = ledger.head(book)
    return head, registry.challenger(registry.connect(), name)


def find(root: Path) -> Challenger | None:
    """The challenger of the project; None when it has none, or it is the champion by now.

    Raises IntegrityError when ledger and registry name different ones.
    """
    name = params.load(root / paths.PARAMS).name
    with session.open_read_only(root) as reader:
        named = challenger.present(reader, registry.connect(), name)
        tenure = version_record.champion(reader.entries(name), name)
    return None if named and tenure and tenure.version == named.version else named


@dataclass(frozen=True, kw_only=True)
class ShadowStatus:
    """How things stand: the challenger, whether it scores now, the code of what is wrong, rows that wait."""

    named: Challenger | None
    scores: bool
    fault: str | None
    waiting: int


class Shadow:
    """Takes what was decided and has the challenger score it. Only `offer` is called by requests."""

    def __init__(
        self,
        root: Path,
        log: InferenceLog,
        counts: LiveCounts,
        metrics: prometheus_client.CollectorRegistry,
        *,
        capacity: int = WAITING,
        look: Callable[[Path], Any] = look,
        find: Callable[[Path], Challenger | None] = find,
        start: Callable[[Path, Challenger], Scorer] = start,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._root, self._log, self._counts, self._capacity = root, log, counts, capacity
        self._look, self._find, self._start, self._monotonic = look, find, start, monotonic
        self._queue: queue.SimpleQueue[Inference] = queue.SimpleQueue()
        self._named: Challenger | None = None
        self._fault: str | None = None
        self._failure: str | None = None
        self._seen: Any = None
        self._scorer: Scorer | None = None
        self._pause, self._again = _FIRST_PAUSE, 0.0
        self._unwritten: Counter[tuple[int, str]] = Counter()
        self._losing = threading.Lock()
        self._scored = prometheus_client.Counter(
            "clearance_shadow_scores",
            "Rows that the challenger scored, by whether it decides as the champion did",
            ["version", "same"],
            registry=metrics,
        )
        self._lost = prometheus_client.Counter(
            "clearance_shadow_lost", "Rows that the challenger did not score", ["reason"], registry=metrics
        )
        prometheus_client.Gauge(
            "clearance_shadow_waiting", "Rows that wait for the challenger", registry=metrics
        ).set_function(self._queue.qsize)
        prometheus_client.Gauge(
            "clearance_shadow_version", "The challenger that scores; 0: none", registry=metrics
        ).set_function(lambda: status.named.version if (status := self.status()).named else 0)
        prometheus_client.Gauge(
            "clearance_shadow_fault", "1: a challenger is named and cannot score", registry=metrics
        ).set_function(lambda: int(self.status().fault is not None))

    # The request path

    def offer(self, decided: Sequence[Inference]) -> None:
        """Have these decisions scored, if there is a challenger. Returns at once and never raises."""
        if self._named is None:
            if self._fault is not None:
                self._lose("no_challenger", len(decided))
            return
        room = self._capacity - self._queue.qsize()
        for inference in decided[: max(0, room)]:
            self._queue.put(inference)
        if len(decided) > room:
            self._lose("queue_full", len(decided) - max(0, room))

    def status(self) -> ShadowStatus:
        """How things stand now."""
        scorer = self._scorer
        return ShadowStatus(
            named=self._named,
            scores=scorer is not None and scorer.named == self._named,
            fault=self._fault or self._failure,
            waiting=self._queue.qsize(),
        )

    # Who the challenger is

    def refresh(self) -> None:
        """Look who the challenger is. Never raises a fault; while nobody answers, it stays the same."""
        try:
            seen = self._look(self._root)
            if seen != self._seen or self._fault is not None:
                self._named = self._find(self._root)
                self._failure = None if self._named is None else self._failure
            self._seen, self._fault = seen, None
        except TransientError as error:
            logger.warning("the challenger could not be checked: %s", error.fault)
        except ClearanceError as error:
            if self._fault != error.code:
                logger.warning("no challenger scores: %s", error.fault)
            self._named, self._fault = None, error.code

    def follow(self, stop: threading.Event, interval: float = INTERVAL) -> None:
        """Refresh every `interval` seconds until `stop` is set."""
        self.refresh()
        while not stop.wait(interval):
            self.refresh()

    # Scoring

    def work(self, stop: threading.Event) -> None:
        """Score what waits until `stop` is set; then the challenger ends, and what still waits is lost."""
        try:
            while not stop.is_set():
                if not self.step():
                    stop.wait(_LOOK_FOR_WORK)
        finally:
            self._end()
            self._lose("server_stopped", len(self._take(self._queue.qsize())))
            self._write_lost()

    def step(self) -> bool:
        """Score one batch of what waits; whether there was anything to do."""
        self._write_lost()
        scorer = self._ready()
        if scorer is None:
            if self._named is None and (rest := len(self._take(self._queue.qsize()))):
                self._lose("no_challenger", rest)
            return False
        batch = self._take(TOGETHER)
        if not batch:
            return False
        try:
            results = scorer.score([dict(inference.input) for inference in batch])
            self._pause = _FIRST_PAUSE
        except TransientError as error:
            self._fail(error)
            results = [[error.code]] * len(batch)
        self._put_on_record(scorer, batch, results)
        return True

    def _ready(self) -> Scorer | None:
        """The challenger that is named, loaded; None while there is none, or it is not time to try again."""
        named = self._named
        if self._scorer is not None and (self._scorer.named != named or not self._scorer.lives()):
            if self._scorer.named == named and named is not None:
                self._fail(faults.CHALLENGER_LOST(version=named.version))
            else:
                self._end()
                self._again, self._pause = 0.0, _FIRST_PAUSE
        if named is None or self._scorer is not None:
            return self._scorer
        if self._monotonic() < self._again:
            return None
        try:
            self._scorer = self._start(self._root, named)
            self._failure = None
            logger.info("version %d scores in shadow", named.version)
        except ClearanceError as error:
            self._fail(error)
        return self._scorer

    def _fail(self, error: ClearanceError) -> None:
        """End the challenger, and try again after a pause that doubles."""
        self._end()
        self._failure = error.code
        self._again = self._monotonic() + self._pause
        logger.warning("the challenger does not score: %s; next try in %g s", error.fault, self._pause)
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    def _end(self) -> None:
        if self._scorer is not None:
            self._scorer.close()
        self._scorer = None

    def _take(self, most: int) -> list[Inference]:
        batch: list[Inference] = []
        with suppress(queue.Empty):
            while len(batch) < most:
                batch.append(self._queue.get_nowait())
        return batch

    def _put_on_record(
        self, scorer: Scorer, batch: Sequence[Inference], results: Sequence[list[Any]]
    ) -> None:
        new = [_record(scorer, inference, result) for inference, result in zip(batch, results, strict=True)]
        kept = self._append(new)
        pairs: Counter[tuple[Any, ...]] = Counter()
        for inference, record in zip(batch, new, strict=True):
            if record.id not in kept:
                self._lose("not_recorded", 1)
            elif record.fault is not None:
                self._lose("fault", 1)
            else:
                same = record.decision == inference.decision
                self._scored.labels(str(record.model.version), "yes" if same else "no").inc()
                pairs[_pair(inference, record)] += 1
        if pairs:
            self._counts.add(PAIRS, pairs)

    def _append(self, new: Sequence[ShadowScore]) -> set[str]:
        """The ids of those that are on record; a decision that was erased meanwhile spoils only its own."""
        try:
            self._log.append(*new)
            return {record.id for record in new}
        except DataError:
            if len(new) == 1:
                return set()
            return {id_ for record in new for id_ in self._append([record])}
        except ClearanceError as error:
            logger.warning("%d shadow scores could not be put on record: %s", len(new), error.fault)
            return set()

    # What was lost

    def _lose(self, reason: str, rows: int) -> None:
        if rows > 0:
            self._lost.labels(reason).inc(rows)
            with self._losing:
                self._unwritten[self._named.version if self._named else 0, reason] += rows

    def _write_lost(self) -> None:
        """Write how many were lost: not in a request, which only counts them in memory."""
        with self._losing:
            lost, self._unwritten = self._unwritten, Counter()
        if lost:
            self._counts.add(LOST, lost)


def _record(scorer: Scorer, inference: Inference, result: Sequence[Any]) -> ShadowScore:
    named = scorer.named
    record = ShadowScore(
        caller="shadow",
        request_id=inference.request_id,
        about=inference.id,
        model=ModelReference(name=inference.model.name, version=named.version, digest=named.content),
    )
    match result:
        case [float(score), bool(favourable)] if 0 <= score <= 1:
            word = records.FAVOURABLE if favourable else records.UNFAVOURABLE
            return replace(record, score=score, threshold=scorer.threshold, decision=word)
        case [str(code)]:
            return replace(record, fault=code)
        case _:
            return replace(record, fault=faults.CHALLENGER_SCORE.code)


def _pair(inference: Inference, record: ShadowScore) -> tuple[Any, ...]:
    return (
        *(inference.model.version, inference.model.digest, record.model.version, record.model.digest),
        *(int(decision == records.FAVOURABLE) for decision in (inference.decision, record.decision)),
    )


__all__ = ["Scorer", "ScorerProcess", "Shadow", "ShadowStatus", "find", "look", "start"]
