"""Every error states a fault and a hint, and exit codes tell outcomes apart."""

import inspect
import pickle

import pytest

from clearance import errors
from clearance.documents.measurement import Outcome


def leaves() -> list[type[errors.ClearanceError]]:
    classes = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]
    return [kind for kind in classes if issubclass(kind, errors.ClearanceError)]


def test_every_error_states_the_fault_and_a_hint() -> None:
    for kind in leaves():
        text = str(kind("the cup is empty", "fill it"))
        assert text.splitlines() == ["the cup is empty", "  hint: fill it"]


def test_a_kind_of_fault_fills_its_sentences_and_keeps_its_code_and_values() -> None:
    kind = errors.ErrorKind("kitchen.empty", errors.DataError, "the {vessel} is empty", "fill the {vessel}")
    error = kind(vessel="cup")
    assert isinstance(error, errors.DataError)
    assert (error.code, error.values) == ("kitchen.empty", {"vessel": "cup"})
    assert str(error).splitlines() == ["the cup is empty", "  hint: fill the cup"]
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - made here
    assert (type(again), again.code, again.values) == (errors.DataError, error.code, error.values)
    with pytest.raises(KeyError):
        kind()


@pytest.mark.parametrize(
    ("rows", "said"), [(0, "0 lines"), (1, "1 line"), (2001, "2,001 lines"), (None, "lines")]
)
def test_a_sentence_counts(rows: int | None, said: str) -> None:
    kind = errors.ErrorKind("x.y", errors.DataError, "it is in {rows:line|lines} of {path!r}", "{path:>3}")
    error = kind(rows=rows, path="a")
    assert (error.fault, error.hint) == (f"it is in {said} of 'a'", "  a")
    assert error.values == {"rows": rows, "path": "a"}


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
