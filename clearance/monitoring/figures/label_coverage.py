"""How many decisions of a window have their label, and whether those that have one speak for the rest."""

from __future__ import annotations

from dataclasses import dataclass, replace

from clearance.monitoring.counting.window_counts import WindowCounts

SELECTIVE = 0.5
"""Labels are selective where one decision has less than this part of the labels that the other has."""


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """All decisions, and those with a label: each unfavourable, favourable."""

    decisions: tuple[int, int]
    labelled: tuple[int, int]

    @property
    def selective(self) -> bool:
        """Whether one decision has far fewer of its labels than the other: a loan that is refused is never
        repaid."""
        if 0 in self.decisions:
            return False
        shares = [known / total for known, total in zip(self.labelled, self.decisions, strict=True)]
        return min(shares) < SELECTIVE * max(shares)

    @property
    def among_favourable(self) -> Coverage:
        """The coverage of favourable decisions alone."""
        return replace(self, decisions=(0, self.decisions[1]), labelled=(0, self.labelled[1]))

    @property
    def assumption(self) -> str | None:
        """What a figure of the labelled decisions rests on; None where every decision has its label."""
        without = sum(self.decisions) - sum(self.labelled)
        if self.decisions[0] == 0:
            return "labels are those of favourable decisions alone, and so is this figure"
        return f"the {without:,} decisions without a label are like those with one" if without > 0 else None

    def are_in(self, label_share: float) -> bool:
        """Whether labels of so large a share are in: of all decisions, or of favourable ones where labels are
        selective and more hardly come."""
        sides = [self, self.among_favourable] if self.selective else [self]
        return any(0 < sum(side.decisions) * label_share <= sum(side.labelled) for side in sides)

    def hole(self, label_share: float) -> str | None:
        """Why performance cannot be read: too few labels, or selective ones; None where it can."""
        total, known = sum(self.decisions), sum(self.labelled)
        if not total:
            return "there is no decision to have a label"
        if self.selective and self.are_in(label_share):
            return (
                f"selective labels: {self.labelled[1]:,} of {self.decisions[1]:,} favourable decisions have "
                f"one, and {self.labelled[0]:,} of {self.decisions[0]:,} unfavourable ones; "
                "those with a label do not speak for the rest"
            )
        if known < label_share * total:
            share = f"{known / total:.1%}"
            return f"labels of {share} of {total:,} decisions are in; {label_share:.0%} are needed"
        return None


def coverage(window: WindowCounts) -> Coverage:
    """The decisions of a window and those with a label."""
    decisions, labelled = [0, 0], [0, 0]
    for (_, _, decision), count in window.decisions.items():
        decisions[decision] += count
    for (_, _, decision, _), count in window.labelled.items():
        labelled[decision] += count
    return Coverage(decisions=(decisions[0], decisions[1]), labelled=(labelled[0], labelled[1]))
