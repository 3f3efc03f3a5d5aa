"""Clearance: a governed machine-learning pipeline. No model ships without evidence."""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
__all__ = [
    "ChampionTenure",
    "DecisionResult",
    "PromotionResult",
    "candidates",
    "check",
    "decide",
    "history",
    "judge",
    "load_policy",
    "promote",
    "retire",
    "rollback",
    "status",
    "verify",
    "what_if",
]


def __getattr__(name: str) -> Any:
    """A verb of the library, imported at its first use, so that `import clearance` stays cheap."""
    if name in __all__:
        return getattr(import_module("clearance.library"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
