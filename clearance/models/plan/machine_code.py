"""Functions compiled to machine code by Numba, and kept between processes.

Compiled code is kept in `NUMBA_CACHE_DIR` (`.clearance/numba` in a project), so a server compiles once per
installation and not at each start. Arithmetic stays as written: no fused or reordered operations.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
from numba.core import config as numba_config

_SETTINGS: Any = numba_config
Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """The function as machine code, compiled at its first call unless a kept one fits.

    It runs without the interpreter's lock. Clearance turns Numba's compiler off, because SHAP would compile
    for seconds what runs in a fraction of one; this function is compiled nevertheless. Where no folder can be
    written, nothing is kept.
    """
    disabled = _SETTINGS.DISABLE_JIT
    _SETTINGS.DISABLE_JIT = 0
    try:
        return _compiled(function)
    finally:
        _SETTINGS.DISABLE_JIT = disabled


def _compiled(function: Function) -> Function:
    try:
        return cast(Function, numba.njit(cache=True, nogil=True, error_model="numpy")(function))
    except RuntimeError:  # Numba finds no folder that it may write to
        return cast(Function, numba.njit(nogil=True, error_model="numpy")(function))
