"""Under which policy and in which risk tier a model may be promoted: now, or by git's history.

What is authorised stands in a reviewed and committed file, so git can tell what it said before.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path

from clearance import files
from clearance.params.data_contract import DataContract
from clearance.policy import authorised, policy_file, schema
from clearance.versioning import git


@dataclass(frozen=True, kw_only=True)
class Authority:
    """The policy that is authorised for a model, and its tier; `policy` is None when another one judged.

    `contracts` are the digests of the data contracts that are pinned. `commit` is HEAD, when it holds list
    and policy as they are; else None.
    """

    policy: schema.Policy | None = None
    tier: str = ""
    contracts: tuple[str, ...] = ()
    commit: str | None = None

    def objection(self, contract: DataContract) -> str | None:
        """Why a model that answers this question may not be promoted, in a sentence; None when it may.

        Another contract than a pinned one is refused, and so is any where the policy requires a pin and
        nobody has set one.
        """
        if self.policy is None or contract.digest in self.contracts:
            return None
        if self.contracts:
            pins = ", ".join(f"{digest[:12]}…" for digest in self.contracts)
            return (
                f"Its data contract {contract.digest[:12]}… is not the one that compliance agreed to "
                f"({authorised.FILE} pins {pins}): `clearance contract` shows what it asks."
            )
        if self.policy.demo or not self.policy.promotion.contract_pinned:
            return None
        return (
            f"{authorised.FILE} does not pin the data contract, as the policy requires: have "
            f"`contracts: [{contract.digest}]` reviewed and committed there (`clearance contract` shows it)."
        )

    @property
    def demands_rebuild(self) -> bool:
        """Whether an independent rebuild must come before a promotion in this tier."""
        return self.policy is not None and self.policy.promotion.rebuild.get(self.tier, False)


@dataclass(frozen=True, kw_only=True)
class Life:
    """From when until when git's history, as it is checked out, authorised the same for a model.

    `until` is None where HEAD still does.
    """

    since: git.Change
    until: git.Change | None

    def __str__(self) -> str:
        begins = f"authorised since {_when(self.since)}"
        return f"{begins}, still so at HEAD" if self.until is None else f"{begins}, until {_when(self.until)}"


def _when(change: git.Change) -> str:
    return f"{change.at:%Y-%m-%d %H:%M} UTC (commit {change.commit[:12]})"


def life(home: Path, name: str, commit: str, contract: DataContract) -> Life | None:
    """How long what `commit` authorises for a model with this contract stood; None when it authorises none.

    The commit must be HEAD or an ancestor of it; times are those that the commits state. Another tier,
    another policy or text of it, or a pin that begins or ceases to refuse the contract ends it: a tier that
    was committed and reverted lived short.
    """
    if not git.is_in_history(home, commit):
        return None
    state = _state(home, name, commit, contract)
    if state is None:
        return None
    files_ = [str(authorised.FILE), state.policy]
    earlier, later = git.changes(home, None, commit, files_), git.changes(home, commit, "HEAD", files_)
    same = list(
        itertools.takewhile(lambda at: _state(home, name, at.commit, contract) == state, reversed(earlier))
    )
    until = next((change for change in later if _state(home, name, change.commit, contract) != state), None)
    return Life(since=same[-1], until=until) if same else None


@dataclass(frozen=True, kw_only=True)
class _State:
    """What a commit authorises: policy, its text and tier; `permitted`: no pin refuses the contract."""

    policy: str
    text: bytes | None
    tier: str
    permitted: bool


def _state(home: Path, name: str, commit: str, contract: DataContract) -> _State | None:
    """What a commit authorises for the model; None when nothing."""
    listed = git.read_file(home, commit, str(authorised.FILE))
    authorisation = authorised.parse(listed).get(name) if listed else None
    if authorisation is None:
        return None
    return _State(
        policy=str(authorisation.policy),
        text=git.read_file(home, commit, str(authorisation.policy)),
        tier=authorisation.tier,
        permitted=not authorisation.contracts or contract.digest in authorisation.contracts,
    )


def authorised_now(home: Path, name: str, sha256: str) -> Authority:
    """What the list in `home` authorises for the model, when it is exactly the policy that judged.

    `sha256` is that of the file that judged. Raises ConfigurationError when the list is faulty.
    """
    authorisation = authorised.find(home, name)
    if authorisation is None or files.sha256(home / authorisation.policy) != sha256:
        return Authority()
    paths = [str(authorised.FILE), str(authorisation.policy)]
    head, contents = git.files_at_head(home, paths)
    committed = head is not None and all(contents[path] == (home / path).read_bytes() for path in paths)
    return Authority(
        policy=policy_file.load(home / authorisation.policy, recorded=True),
        tier=authorisation.tier,
        contracts=authorisation.contracts,
        commit=head if committed else None,
    )


def authorised_at(home: Path, name: str, judged: Path, tier: str, commit: str) -> Authority:
    """The policy in the file `judged`, when `commit` authorised it for the model in `tier`; else no policy.

    The commit must be HEAD or an ancestor of it.
    """
    if not git.is_in_history(home, commit):
        return Authority()
    listed = git.read_file(home, commit, str(authorised.FILE))
    authorisation = authorised.parse(listed).get(name) if listed else None
    if authorisation is None or authorisation.tier != tier:
        return Authority()
    if git.read_file(home, commit, str(authorisation.policy)) != judged.read_bytes():
        return Authority()
    return Authority(
        policy=policy_file.load(judged, recorded=True),
        tier=tier,
        contracts=authorisation.contracts,
        commit=commit,
    )
