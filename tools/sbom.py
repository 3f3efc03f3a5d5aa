"""The software bill of materials of the lock: a CycloneDX document with each locked package.

    python -m tools.sbom [LOCK] > sbom.cdx.json

Its time is SOURCE_DATE_EPOCH (default 0, which is 1970), and nothing in it is random. So the same lock has
the same bill with the same Python on the same platform.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import re
import sys
import uuid
from pathlib import Path

from cyclonedx.model import Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.markers import Marker

LOCK = Path("requirements.lock")
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;]+)(?:\s*;\s*(.+?))?\s*\\?$", re.MULTILINE)


def packages(lock: str) -> list[tuple[str, str]]:
    """Name and version of each package that the text of a lock installs with this Python, in its order."""
    return [
        (name, version)
        for name, version, marker in _PIN.findall(lock)
        if not marker or Marker(marker).evaluate()
    ]


def bill(lock: str, time: dt.datetime) -> str:
    """The CycloneDX 1.6 document, as JSON, of the text of a lock, made at a time with a zone."""
    digest = hashlib.sha256(lock.encode()).hexdigest()
    bom = Bom(serial_number=uuid.uuid5(uuid.NAMESPACE_URL, f"urn:clearance:lock:{digest}"))
    bom.metadata.timestamp = time
    bom.metadata.component = Component(name="clearance", type=ComponentType.APPLICATION, bom_ref="clearance")
    bom.metadata.properties.add(Property(name="clearance:lock:sha256", value=digest))
    for name, version in packages(lock):
        purl = PackageURL("pypi", name=name, version=version)
        bom.components.add(
            Component(name=name, version=version, type=ComponentType.LIBRARY, purl=purl, bom_ref=str(purl))
        )
    bom.register_dependency(bom.metadata.component, bom.components)
    return str(JsonV1Dot6(bom).output_as_string(indent=2)) + "\n"


def main() -> None:
    """Write the bill of the lock that the command line names to standard output."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else LOCK
    time = dt.datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), dt.UTC)
    sys.stdout.write(bill(path.read_text(encoding="utf-8"), time))


if __name__ == "__main__":
    main()
