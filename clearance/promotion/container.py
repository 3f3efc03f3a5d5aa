"""Which container image a process runs in, as the person who started the container states.

A process cannot find out the digest of its own image. So this is a statement, kept beside what the process
can see for itself: the packages that are installed, and the commit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from clearance.promotion import faults

VARIABLE = "CLEARANCE_IMAGE"
"""The image by its digest, such as `clearance@sha256:…`; unset outside a container."""

_DIGEST = re.compile(r"(?:[^@\s]+@)?(sha256:[0-9a-f]{64})")


def image_digest(environ: Mapping[str, str]) -> str | None:
    """The digest in `CLEARANCE_IMAGE`, `sha256:` and 64 hexadecimal digits; None where it is unset or empty.

    Raises ConfigurationError where it names an image in another way: a tag can move to another image.
    """
    name = environ.get(VARIABLE, "")
    if not name:
        return None
    match = _DIGEST.fullmatch(name)
    if match is None:
        raise faults.IMAGE_WITHOUT_DIGEST(variable=VARIABLE, name=name)
    return match[1]
