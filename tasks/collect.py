"""Effect: DVC's objects that nothing needs any more are removed; what a registered version needs stays."""

from __future__ import annotations

import argparse
import logging
import tempfile
from pathlib import Path

from clearance import ledger, params, registry, revision, stage
from clearance.attesting import bundle, envelope
from clearance.governance.office import Office, opened
from clearance.rebuilding import kept

logger = logging.getLogger(__name__)


def needed(office: Office, server: registry.Server, name: str) -> list[str]:
    """The `dvc.lock` of every proposed version and the `.dvc` files of its commit.

    Raises IntegrityError when the evidence of one is lost: then nothing may be removed.
    """
    texts: list[str] = []
    for number in sorted(
        {
            each.body["version"]
            for each in office.entries(name)
            if each.kind == ledger.Kind.PROPOSAL and not each.redacted
        }
    ):
        version = registry.find_number(server, registry.candidate_name(name), number)
        if version is None:
            continue
        with tempfile.TemporaryDirectory() as temporary:
            registry.fetch(server, version, [f"evidence/{bundle.NAME}"], Path(temporary))
            said = bundle.read(office.opened(envelope.read(Path(temporary) / "evidence" / bundle.NAME)))
        texts.append(said.evidence.lock)
        if commit := said.evidence.code.commit:
            texts += revision.pointers(office.root, commit).values()
    return texts


def main() -> None:
    """Say what nothing needs; with `--remove`, remove it from the cache, with `--remote` there too."""
    parser = argparse.ArgumentParser(prog="clearance gc")
    parser.add_argument("--remove", action="store_true")
    parser.add_argument("--remote", action="store_true")
    asked = parser.parse_args()
    root = Path.cwd()
    with opened(root) as office:
        texts = needed(office, registry.connect(), params.load(root / "params.yaml").name)
    for swept in kept.collect(root, texts, at_remote=asked.remote, dry=not asked.remove):
        logger.info("%s", swept)
    if not asked.remove:
        logger.info("nothing was removed; `clearance gc --remove` removes it")


if __name__ == "__main__":
    stage.run(main)
