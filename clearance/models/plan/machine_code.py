"""Functions compiled to machine code by Numba, and kept between processes.

Compiled code is kept in `NUMBA_CACHE_DIR` (`.clearance/numba` in a project), so a server compiles once per
installation and not at each start. Arithmetic stays as written: no fused or reordered operations.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import numba
from numba.core import config as numba_config

_SETTINGS: Any = numba_config
_ONE_AT_A_TIME = threading.RLock()
Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """The function as machine code, compiled at its first call unless a kept one fits.

    It runs without the interpreter's lock. Clearance turns Numba's compiler off, because SHAP would compile
    for seconds what runs in a fraction of one; this function is compiled nevertheless. Where no folder can be
    written, nothing is kept.
    """
    with _compiler_on():
        try:
            dispatcher: Any = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
        except RuntimeError:  # Numba finds no folder that it may write to
            dispatcher = numba.njit(nogil=True, error_model="numpy")(function)
    compile_for = dispatcher.compile

    def compile_with_compiler_on(signature: Any) -> Any:
        with _compiler_on():
            return compile_for(signature)

    dispatcher.compile = compile_with_compiler_on  # Numba compiles parts of its own with the same setting
    return cast(Function, dispatcher)


@contextmanager
def _compiler_on() -> Iterator[None]:
    """Numba's compiler as if nobody had turned it off, for one thread at a time; restored at the end."""
    with _ONE_AT_A_TIME:
        _SETTINGS.reload_config()  # or Numba would do it below, and turn the compiler off again
        disabled = _SETTINGS.DISABLE_JIT
        _SETTINGS.DISABLE_JIT = 0
        try:
            yield
        finally:
            _SETTINGS.DISABLE_JIT = disabled
