"""What our compose file must keep: the rules of `tools.manifests`, as far as a single machine knows them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tools.manifests import Finding, Manifest, holds_secret

KEYS = frozenset(
    {
        *("cap_drop", "command", "cpus", "depends_on", "environment", "healthcheck", "image", "mem_limit"),
        *("networks", "pids_limit", "ports", "profiles", "read_only", "restart", "secrets", "security_opt"),
        *("tmpfs", "user", "volumes"),
    }
)
"""What a service may say. Anything else, such as `privileged` or `pid`, is refused."""
HARDENED = (
    ("read_only", True, "container.root_filesystem", "it can write to its root file system"),
    ("cap_drop", ["ALL"], "container.capabilities", "it keeps capabilities"),
    ("security_opt", ["no-new-privileges:true"], "container.escalation", "it may gain privileges"),
)
"""What each service must say, and the code and the fault where it does not."""
OURS = "${CLEARANCE_IMAGE:?"
"""How the image of this project begins; its user is the image's own."""


def findings(compose: Manifest) -> list[Finding]:
    """Every rule that the services of a compose file break, sorted; none where they keep all of them."""
    return sorted(
        Finding(code, f"service/{name}", fault)
        for name, service in compose["services"].items()
        for code, fault in _service(service, set(compose.get("volumes") or ()))
    )


Faults = Iterator[tuple[str, str]]


def _service(service: Mapping[str, Any], volumes: set[str]) -> Faults:
    for key in sorted(service.keys() - KEYS):
        yield "compose.key", f"{key} is not known here"
    yield from _image(service)
    for key, value, code, fault in HARDENED:
        if service.get(key) != value:
            yield code, fault
    if any(key not in service for key in ("mem_limit", "cpus", "pids_limit")):
        yield "container.resources", "memory, processors or processes have no limit"
    for name, value in (service.get("environment") or {}).items():
        if holds_secret(name, value):
            yield "container.secret", f"variable {name} holds a secret in plain text"
    for port in service.get("ports", ()):
        if not str(port).startswith("127.0.0.1:"):
            yield "pod.host", f"port {port} can be reached from other machines"
    for volume in service.get("volumes", ()):
        source, _, target = str(volume).partition(":")
        if source not in volumes and not (source.startswith("./") and target.endswith(":ro")):
            yield "pod.volume", f"{source} is neither a named volume nor a file of ours to read"


def _image(service: Mapping[str, Any]) -> Faults:
    image = str(service.get("image"))
    if image.startswith(OURS):
        if "user" in service:
            yield "pod.root", "the image's user is replaced"
        return
    if re.search(r":(?!latest)[\w.-]+$|@sha256:[0-9a-f]{64}$", image) is None:
        yield "container.image", f"image {image} is not named by what it is"
    if not re.fullmatch(r"[1-9]\d*:[1-9]\d*", str(service.get("user"))):
        yield "pod.root", "it may run as root"
