"""Names that a package imports at first use exist where it says, and its stub says the same."""

import ast
import importlib
from pathlib import Path

import pytest

PACKAGES = ("clearance", "clearance.registry")


def stubbed(package: str) -> dict[str, str]:
    """The names of a package's stub and the modules that they come from."""
    module = importlib.import_module(package)
    stub = Path(str(module.__file__)).with_suffix(".pyi")
    return {
        alias.name: str(node.module)
        for node in ast.parse(stub.read_text()).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


@pytest.mark.parametrize("package", PACKAGES)
def test_every_name_of_a_lazy_package_is_the_one_of_its_stub(package: str) -> None:
    module = importlib.import_module(package)
    names = stubbed(package)
    assert set(module.__all__) <= names.keys() | {"__version__"}
    for name, origin in names.items():
        assert getattr(module, name) is getattr(importlib.import_module(origin), name)
