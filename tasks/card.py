"""Stage: the model card, from the evidence, the verdict and `card.yaml`; see `clearance.reporting.card`."""

from __future__ import annotations

import logging
from pathlib import Path

from clearance import files, params, paths, stage, wording
from clearance.documents.verdict_document import VerdictDocument
from clearance.policy import policy_file
from clearance.reporting.card import card_text, formats, make
from clearance.reporting.claims import check

logger = logging.getLogger(__name__)


def main() -> None:
    """Read what was measured and stated below the working folder, write the card in all its formats."""
    settings = params.load(paths.PARAMS)
    verdict = VerdictDocument.read(Path())
    policy = policy_file.load(Path(settings.policy.file))
    known = make.read(Path(), verdict)
    card = make.make(known, card_text.load(), settings.name, settings.policy.as_of, policy)
    card.write(Path())
    lock = paths.REQUIREMENTS_LOCK.read_text(encoding="utf-8")
    texts = formats.texts(card, known, lock)
    formats.ensure_valid(texts)
    with files.replacing_folder(paths.CARD_FORMATS) as folder:
        for name, content in texts.items():
            files.write_text(folder / name, content)
    if gaps := check.gaps(card):
        logger.info("%s in the card", wording.counted(len(gaps), "gap"))


if __name__ == "__main__":
    stage.run(main)
