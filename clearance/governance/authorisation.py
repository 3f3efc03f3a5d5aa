"""Under which policy and in which tier of risk a model may be promoted: today, or by git's history.

What is authorised stands in a file that is reviewed and committed, so git can tell what it said before.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from clearance import artifacts, revision
from clearance.judging import authorised, policy, rules


@dataclass(frozen=True, kw_only=True)
class Authority:
    """The policy that is authorised for a model, and its tier; `policy` is None when another one judged."""

    policy: rules.Policy | None = None
    tier: str = ""


def today(home: Path, name: str, sha256: str) -> Authority:
    """What the list in `home` authorises for the model, when it is the very policy that judged.

    `sha256` is that of the file that judged. Raises ConfigurationError when the list is faulty.
    """
    found = authorised.find(home, name)
    if found is None or artifacts.sha256(home / found.policy) != sha256:
        return Authority()
    return Authority(policy=policy.load(home / found.policy), tier=found.tier)


def ever(home: Path, name: str, judged: Path, tier: str) -> Authority:
    """The policy in the file `judged`, when a commit that HEAD holds authorised it for the model in `tier`.

    Commits are looked at that touched the list or a policy beside it; a list that is faulty authorised
    nothing. Without git, or such a commit, there is no policy.
    """
    wanted = judged.read_bytes()
    for commit in revision.touching(home, [str(authorised.FILE.parent)]):
        listed = revision.content(home, commit, str(authorised.FILE))
        found = authorised.parse(listed).get(name) if listed else None
        if found and found.tier == tier and revision.content(home, commit, str(found.policy)) == wanted:
            return Authority(policy=policy.load(judged), tier=tier)
    return Authority()
