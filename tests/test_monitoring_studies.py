"""Slices of the studies of false alarms and of detection; the whole with CLEARANCE_NIGHTLY=1."""

from __future__ import annotations

import numpy as np
import pytest

from assurance import monitoring_detection, monitoring_false_alarms, quiet_years
from assurance.monitoring_false_alarms import STRATA, TERMS
from assurance.quiet_years import LONG_MEMORY, Year
from clearance.monitoring import season
from tests.support import nightly

SLICE = STRATA if nightly.NIGHTLY else (STRATA[1], STRATA[6])
YEARS = 40 if nightly.NIGHTLY else 2


@pytest.mark.parametrize("stratum", SLICE, ids=lambda stratum: f"{stratum.world.name}-{stratum.rows}")
def test_quiet_years_are_quiet_while_plain_psi_alarms(stratum: monitoring_false_alarms.Stratum) -> None:
    tally = monitoring_false_alarms.measure(stratum, YEARS, seed=1)
    assert not monitoring_false_alarms.broken(tally)
    assert tally.years == YEARS
    if stratum.rows <= 100:
        assert tally.plain_years == YEARS


def quiet_year(rows: int) -> Year:
    return quiet_years.simulate(LONG_MEMORY, rows, np.random.default_rng(2))


def test_the_days_of_the_reference_are_what_keeps_a_restless_year_quiet() -> None:
    """The same year, judged as if its rows were independent, alarms: days must not be left out."""
    year = quiet_year(1000)
    blind = Year(references=year.references, reference_days=None, live=year.live, days=year.days)
    assert sum(monitoring_false_alarms.alarms_of(year, TERMS).values()) == 0
    assert monitoring_false_alarms.alarms_of(blind, TERMS)["day"] > 100


def test_the_season_of_the_policy_matters() -> None:
    """Compared with all days, the weekly season counts as noise, so that intervals are wider."""
    year, look = quiet_year(500), next(monitoring_false_alarms.windows(quiet_years.calendar(2026)))[0]
    widths = {}
    for wished in ("none", "weekday"):
        terms = TERMS.model_copy(update={"season": wished})
        between = season.reference_for(
            year.references["number_0"], year.reference_days, look, terms
        ).between_days
        assert between is not None
        widths[wished] = float(np.trace(between.covariance))
    assert widths["none"] > 1.2 * widths["weekday"]


def test_the_screen_of_the_study_loses_no_alarm() -> None:
    year = quiet_year(100)
    references = season.References(features=year.references, days=year.reference_days, terms=TERMS)
    for window, places in list(monitoring_false_alarms.windows(year.days))[::40]:
        for name in ("number_0", "sparse_3", "count_0", "code_8"):
            cells, reference = year.live[name][places].sum(axis=0), references.of(name, window)
            faulty = cells + np.eye(len(cells), dtype=np.int64)[-1] * int(cells.sum() // 3)
            for live in (cells, faulty):
                p_value = monitoring_false_alarms.smallest_p_value(live, reference, TERMS)
                suspicious = monitoring_false_alarms.suspicious(live[None], reference)[0]
                assert suspicious or p_value > monitoring_false_alarms.RARE / 5


PROMISES = [fault for fault in monitoring_detection.FAULTS if fault.most_days is not None]


@pytest.mark.parametrize("fault", PROMISES, ids=lambda fault: fault.name)
def test_planted_shifts_are_seen_in_time(fault: monitoring_detection.Fault) -> None:
    """In as many of the trials as the promise says, three standard errors allowed."""
    trials = 200 if nightly.NIGHTLY else 30
    detection = monitoring_detection.detect(fault, trials, np.random.default_rng(6))
    share = (detection.ours <= (fault.most_days or 0)).mean()
    assert share >= fault.power - 3 * np.sqrt(fault.power * (1 - fault.power) / trials)


def test_without_a_fault_nothing_is_seen() -> None:
    none = monitoring_detection.Fault(name="none", plant=monitoring_detection.moved(0.0), rows=500)
    detection = monitoring_detection.detect(none, 3, np.random.default_rng(8))
    assert (detection.ours > monitoring_detection.HORIZON).all()
