"""Every error names a fault and a mend, and exit codes tell outcomes apart."""

import inspect

from clearance import errors
from clearance.documents.measurement import Outcome


def leaves() -> list[type[errors.ClearanceError]]:
    found = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]
    return [kind for kind in found if issubclass(kind, errors.ClearanceError)]


def test_every_error_says_the_fault_and_the_mend() -> None:
    for kind in leaves():
        text = str(kind("the cup is empty", "fill it"))
        assert text.splitlines() == ["the cup is empty", "  mend: fill it"]


def test_the_docstring_draws_every_error() -> None:
    assert errors.__doc__ is not None
    for kind in leaves():
        assert kind.__name__ in errors.__doc__


def test_only_transient_errors_ask_for_a_retry() -> None:
    for kind in leaves():
        retried = kind.exit_code is errors.ExitCode.TRANSIENT
        assert retried == issubclass(kind, errors.TransientError)


def test_every_outcome_has_its_own_exit_code_and_only_pass_is_zero() -> None:
    codes = {outcome: outcome.exit_code for outcome in Outcome}
    assert len(set(codes.values())) == len(Outcome)
    assert [outcome for outcome, code in codes.items() if code == 0] == [Outcome.PASS]
    assert errors.ExitCode.ERROR not in codes.values()
