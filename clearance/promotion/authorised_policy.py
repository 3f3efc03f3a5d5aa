"""Under which policy and in which tier of risk a model may be promoted: today, or by git's history.

What is authorised stands in a file that is reviewed and committed, so git can tell what it said before.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from clearance import files as artifacts
from clearance.policy import authorised, policy_file, schema
from clearance.versioning import git


@dataclass(frozen=True, kw_only=True)
class Authority:
    """The policy that is authorised for a model, and its tier; `policy` is None when another one judged.

    `commit` is HEAD's, when it holds list and policy as they are; else None.
    """

    policy: schema.Policy | None = None
    tier: str = ""
    commit: str | None = None


def authorised_now(home: Path, name: str, sha256: str) -> Authority:
    """What the list in `home` authorises for the model, when it is the very policy that judged.

    `sha256` is that of the file that judged. Raises ConfigurationError when the list is faulty.
    """
    found = authorised.find(home, name)
    if found is None or artifacts.sha256(home / found.policy) != sha256:
        return Authority()
    head, files = git.head(home), (str(authorised.FILE), str(found.policy))
    held = head and all(git.read_file(home, head, name) == (home / name).read_bytes() for name in files)
    return Authority(
        policy=policy_file.load(home / found.policy), tier=found.tier, commit=head if held else None
    )


def authorised_at(home: Path, name: str, judged: Path, tier: str, commit: str) -> Authority:
    """The policy in the file `judged`, when `commit` authorised it for the model in `tier`.

    The commit must be HEAD's own or one before it. Else there is no policy.
    """
    if not git.is_in_history(home, commit):
        return Authority()
    listed = git.read_file(home, commit, str(authorised.FILE))
    found = authorised.parse(listed).get(name) if listed else None
    if found is None or found.tier != tier:
        return Authority()
    if git.read_file(home, commit, str(found.policy)) != judged.read_bytes():
        return Authority()
    return Authority(policy=policy_file.load(judged), tier=tier, commit=commit)
