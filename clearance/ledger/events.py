"""Ledger events: what an entry of each kind says, one frozen class for each kind.

A class states the fields of the body, the sentence that tells it, whether the body may be erased, and which
right the actor needs. A new kind of entry is one member of `EntryKind` and one class here. Bodies are read
strictly; a field that the previous version did not write is optional. Nothing here reads a clock or a file.

    Event
    ├── EvidenceEvent          about the content of one version
    │   ├── ProposalEvent, VerdictEvent, ComparisonEvent, RebuildEvent
    │   └── DecisionEvent      ApprovalEvent, OverrideEvent, RejectionEvent, RevocationEvent
    ├── PreregistrationEvent   how a model would be judged, before its test rows were scored
    ├── AttemptEvent           a model that was judged and never proposed
    ├── RefusalEvent
    ├── IntentEvent            before a change of the champion
    ├── ChampionChange         PromotionEvent, RollbackEvent, RetirementEvent: after it
    ├── AbandonmentEvent       in place of it; stored as `repair`, unrelated to `clearance repair`
    ├── ChallengerEvent        which candidate scores the traffic in shadow
    ├── IncidentEvent          opens an incident; IncidentReportEvent, IncidentClosureEvent: what follows
    ├── RestrictionEvent       a version's decisions are held for review, or stopped; ResumptionEvent: no more
    ├── RolesUpdate, CheckpointPolicyUpdate
    ├── InferenceSegmentEvent, InferenceDeletionEvent: about an inference log, never about a model
    └── RedactionEvent
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from clearance import validation_messages
from clearance.ledger import faults

Text = Annotated[str, Field(max_length=10_000)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_LONGEST_QUOTE = 1_200
VersionNumber = Annotated[int, Field(ge=1)]


class EntryKind(StrEnum):
    """The kind of an entry, as the ledger stores it. Each has its class in this module."""

    PREREGISTRATION = "preregistration"
    PROPOSAL = "proposal"
    VERDICT = "verdict"
    ATTEMPT = "attempt"
    COMPARISON = "comparison"
    REBUILD = "rebuild"
    APPROVAL = "approval"
    REJECTION = "rejection"
    REVOCATION = "revocation"
    REFUSAL = "refusal"
    OVERRIDE = "override"
    INTENT = "intent"
    PROMOTION = "promotion"
    ROLLBACK = "rollback"
    RETIREMENT = "retirement"
    REPAIR = "repair"
    CHALLENGER = "challenger"
    INCIDENT = "incident"
    INCIDENT_REPORT = "incident_report"
    INCIDENT_CLOSURE = "incident_closure"
    RESTRICTION = "restriction"
    RESUMPTION = "resumption"
    ROLES = "roles"
    CHECKPOINT_POLICY = "checkpoint_policy"
    REDACTION = "redaction"
    INFERENCE_SEGMENT = "inference_segment"
    INFERENCE_DELETION = "inference_deletion"


class Event(BaseModel):
    """The body of an entry.

    `kind` is how the ledger stores it. `erasable`: the body may be erased after its retention period. `right`
    is the right of the roles file that the actor needs; None where none is checked. `text` is the sentence
    with the placeholders {actor} and {subject}.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    kind: ClassVar[EntryKind]
    text: ClassVar[str]
    erasable: ClassVar[bool] = False
    right: ClassVar[str | None] = None
    schema_version: ClassVar[int] = 1

    @classmethod
    def from_text(cls, text: str, *, where: str = "the entry") -> Self:
        """The event in the JSON text of a body.

        Raises IntegrityError that names `where` and each field that does not fit.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise faults.UNFIT_BODY(
                where=where, kind=cls.kind, why=validation_messages.describe(error, cls)
            ) from None

    @classmethod
    def from_body(cls, body: Mapping[str, Any], *, where: str = "the entry") -> Self:
        """The event in a body that is a JSON value. Raises IntegrityError as `from_text` does."""
        return cls.from_text(json.dumps(dict(body)), where=where)

    def to_body(self) -> dict[str, Any]:
        """The body as a JSON value: the fields that were given, and no defaults."""
        return self.model_dump(mode="json", exclude_unset=True)

    @property
    def required_right(self) -> str | None:
        """The right of the roles file that the author needs; None: whoever the file lists may record it."""
        return self.right

    def sentence(self, actor: str, model: str | None) -> str:
        """What the actor did to the model, in one sentence without its full stop."""
        return tell(self.text, actor, model, self.about)

    @property
    def about(self) -> int | None:
        """The number of the version that it is about; None when it is about none."""
        return None


class AccountReference(BaseModel):
    """An account at an identity provider; `token` is the SHA-256 of the token that it decided with."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    issuer: str
    subject: str
    token: str | None = None


class EvidenceEvent(Event):
    """What is known about the content of one version; `content` is the digest that approvals bind to."""

    erasable = True

    version: VersionNumber
    content: Sha256

    @property
    def about(self) -> int | None:
        """The number of the version that it is about; None when it is about none."""
        return self.version


class ProposalEvent(EvidenceEvent):
    """A version was proposed. `pushed`: the DVC remote holds every object that it was made of.

    Of a model made elsewhere, `declared` names what nobody here measured, and `declared_by` who states it; by
    this entry its author vouches for that.
    """

    kind = EntryKind.PROPOSAL
    text = "{actor} proposed {subject}"
    right = "propose"

    fingerprint: Sha256 | None = None
    pushed: bool = False
    declared: tuple[str, ...] = ()
    declared_by: str | None = None


class PreregistrationEvent(Event):
    """How a trained model is going to be judged: recorded before the first of its test rows was scored.

    `model_file` is the SHA-256 of the model's file, `policy` that of the policy's file, `as_of` the day whose
    rules apply, `test_rows` the digest of the test rows, `seed` the one that split them.
    """

    kind = EntryKind.PREREGISTRATION
    text = "{actor} preregistered how a model of {subject} would be judged"
    right = "propose"

    model_file: Sha256
    policy: Sha256
    as_of: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d$")]
    test_rows: Sha256
    seed: int


class AttemptFacts(BaseModel):
    """What was tried: the seed, what the run overrode (text by dotted key), its test rows and its source."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    seed: int | None = None
    overrides: dict[str, str] = {}
    test_rows: Sha256 | None = None
    source: Sha256 | None = None


class VerdictEvent(EvidenceEvent):
    """The verdict of the policy with the SHA-256 `policy`, and what was tried."""

    kind = EntryKind.VERDICT
    text = "{actor} recorded the verdict on {subject}"
    right = "propose"

    outcome: str | None = None
    reasons: tuple[str, ...] = ()
    policy: Sha256 | None = None
    attempt: AttemptFacts | None = None


class AttemptEvent(Event):
    """A model that the tracking server knew to be judged, with its `outcome`, and that nobody had proposed.

    `run` is the id of its run there. Recorded so that it still counts when the run is deleted.
    """

    kind = EntryKind.ATTEMPT
    text = "{actor} recorded an earlier attempt at {subject}"
    erasable = True
    right = "propose"

    fingerprint: Sha256
    outcome: str | None = None
    run: str | None = None
    attempt: AttemptFacts | None = None


class ComparisonEvent(EvidenceEvent):
    """The comparison with the champion, whose content is `champion`; None when there was no champion.

    `comparison` is the digest of the comparison, `approvals` the number of people that a first version needs
    at least, `envelope` the signature over all other fields.
    """

    kind = EntryKind.COMPARISON
    text = "{actor} recorded the comparison of {subject} with the champion"
    right = "propose"

    champion: Sha256 | None = None
    comparison: Sha256 | None = None
    outcome: str | None = None
    approvals: int = 0
    reasons: tuple[str, ...] = ()
    envelope: Any = None


DIFFERENT = "different"


class RebuildEvent(EvidenceEvent):
    """The version was built again, and compared with its evidence.

    `conclusion` is what the comparison gave, `reasons` what differed. `environment` is `fresh` when it was
    made from the lock for this rebuild, else `present`; `installation` is the digest of what was installed.
    `network`: the stages could reach a network. `comparison` is the digest of the comparison with the
    champion that the rebuilt files confirm; None without one. `envelope` is the signature over all other
    fields.
    """

    kind = EntryKind.REBUILD
    text = "{actor} rebuilt {subject}"
    right = "rebuild"

    conclusion: Literal["identical", "equivalent", "different"]
    outputs: int
    same: int
    reasons: tuple[str, ...] = ()
    environment: Literal["fresh", "present"]
    installation: Sha256 | None = None
    network: bool = True
    comparison: Sha256 | None = None
    envelope: Any = None


class DecisionEvent(EvidenceEvent):
    """What a person decided. `envelope` is what they signed; whether it counts is not decided here.

    `account`: whose token proved who decided, where the signer only attests it.
    """

    right = "approve"

    reason: Text = ""
    account: AccountReference | None = None
    envelope: Any = None


class ApprovalEvent(DecisionEvent):
    """A person agrees that the content may be promoted."""

    kind = EntryKind.APPROVAL
    text = "{actor} approved {subject}"


class OverrideEvent(DecisionEvent):
    """A person lets the content be promoted for a limited time although its verdict is not a pass."""

    kind = EntryKind.OVERRIDE
    text = "{actor} overrode the verdict on {subject}"


class RejectionEvent(DecisionEvent):
    """A person objects to the content."""

    kind = EntryKind.REJECTION
    text = "{actor} rejected {subject}"


Withdrawn = Literal[EntryKind.APPROVAL, EntryKind.OVERRIDE, EntryKind.REJECTION]


class RevocationEvent(DecisionEvent):
    """A person withdraws earlier decisions of their own.

    `withdraws` says which kinds; it is empty in entries of versions that did not record it.
    """

    kind = EntryKind.REVOCATION
    text = "{actor} withdrew their decision on {subject}"

    withdraws: tuple[Withdrawn, ...] = ()

    def sentence(self, actor: str, model: str | None) -> str:
        """Who withdrew which decision on what."""
        kinds = " and ".join(self.withdraws)
        text = f"{{actor}} withdrew their {kinds} of {{subject}}" if kinds else self.text
        return tell(text, actor, model, self.version)


class RefusalEvent(Event):
    """A request was refused, for a reason.

    `version` is what was requested, and need not exist; `fingerprint` is that of a run whose release was
    refused before it had a version. `passed_over` counts the refusals before this one that were not
    recorded.
    """

    kind = EntryKind.REFUSAL
    text = "{actor} requested a change to {subject}, which was refused"
    erasable = True

    reason: Text = ""
    version: int | None = None
    content: Sha256 | None = None
    fingerprint: Sha256 | None = None
    account: AccountReference | None = None
    passed_over: int = 0

    def sentence(self, actor: str, model: str | None) -> str:
        """Who asked for what; only a promotion names the content that it was asked for."""
        text = self.text if self.content is None else "{actor} asked to promote {subject}, which was refused"
        return tell(text, actor, model, self.version)

    @property
    def about(self) -> int | None:
        """The number of the version that it is about; None when it is about none."""
        return self.version


class _Change(Event):
    """A change of the champion, begun, carried out or given up.

    `allowed_by` are the people whose approval or override it rests on, `override_until` the day on which the
    first of these overrides ends, `override` the sentence about them. `tier` and `authorised_in` say under
    which tier, and by which commit, the policy was authorised.
    """

    content: Sha256 | None = None
    reason: Text | None = None
    tier: str | None = None
    authorised_in: str | None = None
    allowed_by: tuple[str, ...] | None = None
    override_until: str | None = None
    override: Text | None = None

    def terms(self) -> dict[str, Any]:
        """What the change is and rests on: the same before it and after it."""
        return self.model_dump(mode="json", exclude={"intent", "step"})


class ChampionChange(_Change):
    """The champion changed; `intent` is the number of the entry that began the change."""

    version: VersionNumber
    intent: int | None = None

    @property
    def about(self) -> int | None:
        """The number of the version that it is about; None when it is about none."""
        return self.version


class PromotionEvent(ChampionChange):
    """The version became champion."""

    kind = EntryKind.PROMOTION
    text = "{actor} promoted {subject}"
    right = "promote"


class RollbackEvent(ChampionChange):
    """A version that had been champion became champion again."""

    kind = EntryKind.ROLLBACK
    text = "{actor} rolled back to {subject}"
    right = "roll_back"


class RetirementEvent(ChampionChange):
    """The version is no longer champion, and no other version took its place."""

    kind = EntryKind.RETIREMENT
    text = "{actor} retired {subject}"
    right = "roll_back"


class AbandonmentEvent(_Change):
    """The change that entry `intent` began was not carried out, and will not be."""

    kind = EntryKind.REPAIR
    text = "{actor} abandoned an unfinished change to {subject}"

    version: VersionNumber | None = None
    intent: int

    @property
    def about(self) -> int | None:
        """The number of the version that it is about; None when it is about none."""
        return self.version


Step = Literal[EntryKind.PROMOTION, EntryKind.ROLLBACK, EntryKind.RETIREMENT]


class IntentEvent(_Change):
    """A change of the champion begins: recorded before anything is changed. `step` is its kind."""

    kind = EntryKind.INTENT
    text = "{actor} started a change to {subject}"

    version: VersionNumber
    step: Step

    def sentence(self, actor: str, model: str | None) -> str:
        """Who started which change."""
        return tell(_STARTED[self.step], actor, model, self.version)

    @property
    def required_right(self) -> str | None:
        """The right that the change takes."""
        return self.change.right

    @property
    def change(self) -> type[ChampionChange]:
        """The class of the change that it begins."""
        return CHANGES[self.step]

    def completed(self, number: int) -> ChampionChange:
        """The change that this intent, entry `number`, led to."""
        return self.change.from_body(self._carried() | {"intent": number})

    def abandoned(self, number: int) -> AbandonmentEvent:
        """That the change of this intent, entry `number`, was not carried out."""
        return AbandonmentEvent.from_body(self._carried() | {"intent": number})

    def _carried(self) -> dict[str, Any]:
        return {name: value for name, value in self.to_body().items() if name != "step"}


_STARTED = {
    EntryKind.PROMOTION: "{actor} started promoting {subject}",
    EntryKind.ROLLBACK: "{actor} started rolling back to {subject}",
    EntryKind.RETIREMENT: "{actor} started retiring {subject}",
}


class ChallengerEvent(Event):
    """From here on the version, with this content, scores the traffic in shadow; without one, none does."""

    kind = EntryKind.CHALLENGER
    text = "{actor} made {subject} the challenger"
    right = "promote"

    version: VersionNumber | None = None
    content: Sha256 | None = None
    reason: Text = ""

    @property
    def about(self) -> int | None:
        """The number of the version that it is about; None when it is about none."""
        return self.version

    def sentence(self, actor: str, model: str | None) -> str:
        """Who made which version the challenger, or left the model without one."""
        text = "{actor} left {subject} without a challenger" if self.version is None else self.text
        return tell(text, actor, model, self.version)


RecordNumber = Annotated[int, Field(ge=1)]
Stamp = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")]
Category = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,59}$")]
VisibleText = Annotated[Text, Field(pattern=r"\S")]


class LiveEvent(Event):
    """About the live decisions of one version, whose evidence has the digest `content`."""

    version: VersionNumber
    content: Sha256

    @property
    def about(self) -> int | None:
        """The number of the version that it is about; None when it is about none."""
        return self.version


class IncidentDeadline(BaseModel):
    """By when an incident is reported, to whom, and from which article that follows.

    `id` is that of the deadline in the policy. `incomplete_first`: a first report may be incomplete.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    id: Text
    to: Text
    due: Stamp
    incomplete_first: bool = False
    source: Text


class IncidentEvent(LiveEvent):
    """An incident was opened, by a person or because of a serious failed rule.

    `category` is a kind of incident as in the policy's deadlines; `aware_at` is when the clock of these
    starts, `role` whose duties they are. `rule`, `alert` and `look` (the digest of the look) say what failed;
    None where a person opened it. Decisions of the version from `decisions_from` until `decisions_until`
    (None: still) are affected.
    """

    kind = EntryKind.INCIDENT
    text = "{actor} opened an incident of {subject}"
    right = "watch"

    category: Category
    role: Literal["provider", "deployer"]
    aware_at: Stamp
    owner: VisibleText
    description: VisibleText
    rule: Text | None = None
    alert: Text | None = None
    look: Sha256 | None = None
    decisions_from: Stamp
    decisions_until: Stamp | None = None
    deadlines: tuple[IncidentDeadline, ...] = ()


class IncidentReportEvent(LiveEvent):
    """The incident that entry `incident` opened was reported, or more is known about it.

    `deadline` and `to` say which duty a report meets; None where nobody was told anything. `complete`: it
    was the whole report. `category`, `aware_at` and `deadlines` replace those of before.
    """

    kind = EntryKind.INCIDENT_REPORT
    text = "{actor} reported an incident of {subject}"
    right = "watch"

    incident: RecordNumber
    description: VisibleText
    deadline: Text | None = None
    to: Text | None = None
    complete: bool = False
    category: Category | None = None
    aware_at: Stamp | None = None
    deadlines: tuple[IncidentDeadline, ...] | None = None
    decisions_until: Stamp | None = None

    def sentence(self, actor: str, model: str | None) -> str:
        """Who reported the incident to whom, or noted something about it."""
        text = f"{{actor}} noted something about incident {self.incident} of {{subject}}"
        if self.to is not None:
            first = "" if self.complete else " a first time"
            text = f"{{actor}} reported incident {self.incident} of {{subject}} to {_literal(self.to)}{first}"
        return tell(text, actor, model, self.version)


class IncidentClosureEvent(LiveEvent):
    """The incident that entry `incident` opened is closed: what was corrected, and a closing statement."""

    kind = EntryKind.INCIDENT_CLOSURE
    text = "{actor} closed an incident of {subject}"
    right = "watch"

    incident: RecordNumber
    corrective_action: VisibleText
    statement: VisibleText

    def sentence(self, actor: str, model: str | None) -> str:
        """Who closed which incident."""
        text = f"{{actor}} closed incident {self.incident} of {{subject}}"
        return tell(text, actor, model, self.version)


class RestrictionEvent(LiveEvent):
    """From here on a person reviews every decision of the version (`hold`), or it decides nothing (`stop`).

    `rule`, `alert` and `look` (the digest of the look) say what failed; None where a person did it.
    """

    kind = EntryKind.RESTRICTION
    text = "{actor} restricted the decisions of {subject}"
    right = "watch"

    mode: Literal["hold", "stop"]
    reason: VisibleText
    rule: Text | None = None
    alert: Text | None = None
    look: Sha256 | None = None

    def sentence(self, actor: str, model: str | None) -> str:
        """Who restricted it, how, and by which rule."""
        text = "{actor} stopped {subject}" if self.mode == "stop" else "{actor} held {subject} for review"
        by = "" if self.rule is None else f" by the rule {_literal(self.rule)}"
        return tell(text + by, actor, model, self.version)


class ResumptionEvent(LiveEvent):
    """The restrictions that the entries `restrictions` began have ended."""

    kind = EntryKind.RESUMPTION
    text = "{actor} let {subject} decide again"
    right = "promote"

    restrictions: Annotated[tuple[RecordNumber, ...], Field(min_length=1)]
    reason: VisibleText


class RolesUpdate(Event):
    """A roles file came into force: its version, its SHA-256, and the version of the root that signed it.

    `file` is the text of the file and `signed` the envelope that m keys of the root signed; without them in
    entries of versions that did not record it.
    """

    kind = EntryKind.ROLES
    text = "{actor} updated the roles file"

    roles_version: int
    sha256: Sha256
    demo: bool = False
    root_version: int = 0
    file: str | None = None
    signed: Any = None


class CheckpointPolicyUpdate(Event):
    """Who signs checkpoints, or where they are kept, changed."""

    model_config = ConfigDict(extra="allow")

    kind = EntryKind.CHECKPOINT_POLICY
    text = "{actor} changed how checkpoints are signed or kept"


class RedactionEvent(Event):
    """The bodies of earlier entries about `versions` of the model were erased, for a reason.

    `years` is how long the policy kept each kind of entry; without it in entries of versions that did not
    record it.
    """

    kind = EntryKind.REDACTION
    text = "{actor} erased the content of earlier entries"
    right = "erase"

    entries: Annotated[tuple[int, ...], Field(min_length=1)]
    reason: Annotated[Text, Field(pattern=r"\S")]
    years: dict[str, Annotated[int, Field(ge=1)]] | None = None
    versions: tuple[VersionNumber, ...] = ()


class InferenceSegmentEvent(Event):
    """Records `first` to `last` of the inference log `log` are sealed: their hash chain leads to `head`.

    `previous` is the hash that the first of them follows, `latest` the latest time that one of them states.
    """

    kind = EntryKind.INFERENCE_SEGMENT
    text = "{actor} sealed a segment of the inference log"
    right = "promote"

    log: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    segment: RecordNumber
    first: RecordNumber
    last: RecordNumber
    records: RecordNumber
    previous: Sha256
    head: Sha256
    latest: Stamp

    def sentence(self, actor: str, model: str | None) -> str:
        """Who sealed which records."""
        text = f"{{actor}} sealed records {self.first} to {self.last} of the inference log {self.log:.8}"
        return tell(text, actor, model, None)


class InferenceDeletionEvent(Event):
    """Segments up to number `segment` of the inference log `log` are past every retention period and deleted.

    `last` and `head` are those of that segment: the chain goes on from there. `months` are the periods of the
    policy by name, and `ended` is when the longest of them ended for the last of these records.
    """

    kind = EntryKind.INFERENCE_DELETION
    text = "{actor} deleted a part of the inference log"
    right = "erase"

    log: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    segment: RecordNumber
    last: RecordNumber
    head: Sha256
    months: Annotated[dict[str, Annotated[int, Field(ge=1)]], Field(min_length=1)]
    ended: Stamp
    reason: Annotated[Text, Field(pattern=r"\S")]

    def sentence(self, actor: str, model: str | None) -> str:
        """Who deleted which records."""
        text = f"{{actor}} deleted the records up to {self.last} of the inference log {self.log:.8}"
        return tell(text, actor, model, None)


def _concrete(base: type[Event]) -> list[type[Event]]:
    below = [event for child in base.__subclasses__() for event in _concrete(child)]
    return [base, *below] if "kind" in vars(base) else below


EVENTS: Mapping[EntryKind, type[Event]] = {event.kind: event for event in _concrete(Event)}
"""The class of each kind."""

CHANGES: Mapping[EntryKind, type[ChampionChange]] = {
    kind: event for kind, event in EVENTS.items() if issubclass(event, ChampionChange)
}
"""The kinds that say who is champion from here on."""

EVIDENCE = frozenset(kind for kind, event in EVENTS.items() if issubclass(event, EvidenceEvent))
"""The kinds that are about the content of a version."""


ERASABLE = frozenset(kind for kind, event in EVENTS.items() if event.erasable)
"""The kinds whose body may be erased: who was champion, and who erased what, stays readable."""


def evidence_version(event: Event | None) -> int | None:
    """The version whose evidence the event is: all of one version is erased together. None for anything else.

    A refusal is about a version that somebody named, which need not exist.
    """
    return event.version if isinstance(event, EvidenceEvent) else None


def tell(text: str, actor: str, model: str | None, version: int | None) -> str:
    """A sentence of an event, its places filled."""
    subject = " ".join([model or "the ledger", *([] if version is None else [f"version {version}"])])
    return text.format(actor=actor, subject=subject)


def _literal(text: str) -> str:
    """A text for a sentence with places, in which braces stand for themselves."""
    return text.replace("{", "{{").replace("}", "}}")


def quoted(reason: str) -> str:
    """The reason of a refusal, cut where it is long: it quotes what others wrote, who may write more."""
    return reason if len(reason) <= _LONGEST_QUOTE else f"{reason[: _LONGEST_QUOTE - 1]}…"


def stated_version(body: Mapping[str, Any]) -> int | None:
    """The version number that a body of an unknown kind states; None when it states none."""
    value = body.get("version")
    return value if type(value) is int else None


def schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schema of each kind's body, by the name `ledger_<kind>`."""
    return {
        f"ledger_{kind}": {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": f"urn:clearance:ledger:{kind}:v{event.schema_version}",
            **event.model_json_schema(),
        }
        for kind, event in sorted(EVENTS.items())
    }
