"""Typed values as JSON: the fields of a dataclass say how it is written, read back and described.

Nothing is converted on the way: a whole number stays one, and what does not fit is refused with the place,
what was expected there and the kind of value that is there, never the value itself.
"""

from __future__ import annotations

import inspect
import math
import re
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, Final, Literal, Protocol, Union, get_args, get_origin, get_type_hints

DIALECT = "https://json-schema.org/draft/2020-12/schema"
WHEN_SET: Final = {"written_when_set": True}
"""Metadata of a field that is left out of the JSON where it is None."""


class Misfit(ValueError):
    """A JSON value that is not what the type asks for.

    `pointer` is a JSON Pointer (RFC 6901) to the value, `expected` says what belongs there, and `actual` the
    kind of value that is there; neither says the value.
    """

    def __init__(self, pointer: str, expected: str, actual: str) -> None:
        super().__init__(f"{pointer or 'the document'}: expected {expected}, got {actual}")
        self.pointer = pointer
        self.expected = expected
        self.actual = actual


@dataclass(frozen=True, eq=False)
class Constraint:
    """What a value must hold beyond its type: the test, what it asks for in words, and as JSON Schema."""

    test: Callable[[Any], bool]
    expected: str
    schema: Mapping[str, Any]


Sha256 = Annotated[
    str,
    Constraint(
        test=lambda text: re.fullmatch("[0-9a-f]{64}", text) is not None,
        expected="a SHA-256 as 64 hex digits",
        schema={"pattern": "^[0-9a-f]{64}$"},
    ),
]
Count = Annotated[
    int, Constraint(test=lambda number: number >= 0, expected="a count from 0 up", schema={"minimum": 0})
]


def read(kind: Any, value: Any, pointer: str = "") -> Any:
    """The JSON value as a value of the type `kind`. Raises Misfit at the first place that does not fit.

    Types are text, bool, int, finite float (a whole number fits too), None, `Any`, `Literal`, string enums,
    tuples, mappings by text, unions, dataclasses, and any of them annotated with a `Constraint`.
    """
    return _shape(kind).read(value, pointer)


def write(value: Any) -> Any:
    """A typed value as JSON can hold it; a field marked `WHEN_SET` is left out where it is None."""
    if is_dataclass(value):
        content = {field: getattr(value, field.name) for field in fields(value)}
        return {
            field.name: write(inner)
            for field, inner in content.items()
            if inner is not None or "written_when_set" not in field.metadata
        }
    if isinstance(value, Mapping):
        return {str(key): write(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [write(inner) for inner in value]
    return str(value) if isinstance(value, StrEnum) else value


def schema(kind: Any, title: str) -> dict[str, Any]:
    """The JSON Schema (Draft 2020-12) of what `read` accepts for the type `kind`."""
    definitions: dict[str, Any] = {}
    described = _shape(kind).schema(definitions)
    return {"$schema": DIALECT, "title": title, **described, "$defs": dict(sorted(definitions.items()))}


class _Shape(Protocol):
    """How a type is read and described; `expected` says in words what belongs there."""

    @property
    def expected(self) -> str: ...

    def read(self, value: Any, pointer: str) -> Any: ...

    def schema(self, definitions: dict[str, Any]) -> dict[str, Any]: ...


@dataclass(frozen=True)
class _Anything:
    expected: str = "a value"

    def read(self, value: Any, pointer: str) -> Any:  # noqa: ARG002 - every value fits
        return value

    def schema(self, definitions: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        return {}


@dataclass(frozen=True)
class _Scalar:
    kind: type
    expected: str
    name: str

    def read(self, value: Any, pointer: str) -> Any:
        fits = type(value) is self.kind or (self.kind is float and type(value) is int)
        if not fits or (isinstance(value, float) and not math.isfinite(value)):
            raise Misfit(pointer, self.expected, _kind_of(value))
        return value

    def schema(self, definitions: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        return {"type": self.name}


_SCALARS: Final[Mapping[Any, _Scalar]] = {
    str: _Scalar(str, "text", "string"),
    bool: _Scalar(bool, "true or false", "boolean"),
    int: _Scalar(int, "a whole number", "integer"),
    float: _Scalar(float, "a number", "number"),
    types.NoneType: _Scalar(types.NoneType, "null", "null"),
}


@dataclass(frozen=True)
class _Constrained:
    inner: _Shape
    constraint: Constraint

    @property
    def expected(self) -> str:
        return self.constraint.expected

    def read(self, value: Any, pointer: str) -> Any:
        typed = self.inner.read(value, pointer)
        if not self.constraint.test(typed):
            raise Misfit(pointer, self.expected, _another(value))
        return typed

    def schema(self, definitions: dict[str, Any]) -> dict[str, Any]:
        return {**self.inner.schema(definitions), **self.constraint.schema}


@dataclass(frozen=True)
class _Options:
    """A literal, or the members of a string enum."""

    options: tuple[Any, ...]
    kind: type[StrEnum] | None = None

    @property
    def expected(self) -> str:
        return " or ".join(map(str, self.options))

    def read(self, value: Any, pointer: str) -> Any:
        if not any(type(option) is type(value) and option == value for option in self.options):
            raise Misfit(pointer, self.expected, _another(value))
        return self.kind(value) if self.kind else value

    def schema(self, definitions: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        return {"const": self.options[0]} if len(self.options) == 1 else {"enum": list(self.options)}


@dataclass(frozen=True)
class _List:
    items: _Shape
    expected: str = "a list"

    def read(self, value: Any, pointer: str) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple):
            raise Misfit(pointer, self.expected, _kind_of(value))
        return tuple(self.items.read(item, f"{pointer}/{at}") for at, item in enumerate(value))

    def schema(self, definitions: dict[str, Any]) -> dict[str, Any]:
        return {"type": "array", "items": self.items.schema(definitions)}


@dataclass(frozen=True)
class _Pair:
    """A list of a fixed length, such as the two ends of an interval."""

    items: tuple[_Shape, ...]

    @property
    def expected(self) -> str:
        return f"a list of {len(self.items)}"

    def read(self, value: Any, pointer: str) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple):
            raise Misfit(pointer, self.expected, _kind_of(value))
        if len(value) != len(self.items):
            raise Misfit(pointer, self.expected, f"a list of {len(value)}")
        pairs = enumerate(zip(self.items, value, strict=True))
        return tuple(shape.read(item, f"{pointer}/{at}") for at, (shape, item) in pairs)

    def schema(self, definitions: dict[str, Any]) -> dict[str, Any]:
        items = [shape.schema(definitions) for shape in self.items]
        return {"type": "array", "prefixItems": items, "items": False, "minItems": len(items)}


@dataclass(frozen=True)
class _Mapping:
    values: _Shape
    expected: str = "an object"

    def read(self, value: Any, pointer: str) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise Misfit(pointer, self.expected, _kind_of(value))
        return {key: self.values.read(item, _below(pointer, key)) for key, item in value.items()}

    def schema(self, definitions: dict[str, Any]) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": self.values.schema(definitions)}


@dataclass(frozen=True)
class _Record:
    """A dataclass; its fields are looked up late, for their types may name each other."""

    kind: Any
    expected: str = "an object"

    def fields(self) -> dict[str, _Shape]:
        return _fields(self.kind)

    def required(self) -> list[str]:
        return [
            field.name
            for field in fields(self.kind)
            if field.default is MISSING and field.default_factory is MISSING
        ]

    def is_marked(self, value: Mapping[str, Any]) -> bool:
        """Whether the literal fields (a status, say) are those of the value, as far as it has them."""
        marks = {name: shape for name, shape in self.fields().items() if isinstance(shape, _Options)}
        marks = {name: shape for name, shape in marks.items() if shape.kind is None}
        return bool(marks) and all(value[name] in marks[name].options for name in marks if name in value)

    def read(self, value: Any, pointer: str) -> Any:
        if not isinstance(value, Mapping):
            raise Misfit(pointer, self.expected, _kind_of(value))
        shapes = self.fields()
        for key in value:
            if key not in shapes:
                raise Misfit(_below(pointer, key), "no such key", _kind_of(value[key]))
        for name in self.required():
            if name not in value:
                raise Misfit(_below(pointer, name), shapes[name].expected, "nothing")
        content = {key: shapes[key].read(item, _below(pointer, key)) for key, item in value.items()}
        try:
            return self.kind(**content)
        except ValueError as error:
            raise Misfit(pointer, str(error), _kind_of(value)) from None

    def schema(self, definitions: dict[str, Any]) -> dict[str, Any]:
        name = self.kind.__name__
        if name not in definitions:
            definitions[name] = {}
            properties = {key: shape.schema(definitions) for key, shape in self.fields().items()}
            definitions[name] = {
                "type": "object",
                "description": inspect.cleandoc(self.kind.__doc__ or ""),
                "properties": properties,
                "required": self.required(),
                "additionalProperties": False,
            }
        return {"$ref": f"#/$defs/{name}"}


@dataclass(frozen=True)
class _Union:
    options: tuple[_Shape, ...]

    @property
    def expected(self) -> str:
        return " or ".join(dict.fromkeys(option.expected for option in self.options))

    def read(self, value: Any, pointer: str) -> Any:
        """The value by the first option that fits; else the misfit that lies deepest, the likeliest fault."""
        misfits = []
        for option in self._candidates(value):
            try:
                return option.read(value, pointer)
            except Misfit as misfit:
                misfits.append(misfit)
        deepest = max(misfits, key=lambda misfit: misfit.pointer.count("/"))
        if deepest.pointer == pointer:
            raise Misfit(pointer, self.expected, deepest.actual)
        raise deepest

    def _candidates(self, value: Any) -> tuple[_Shape, ...]:
        if not isinstance(value, Mapping):
            return self.options
        marked = (
            option for option in self.options if isinstance(option, _Record) and option.is_marked(value)
        )
        return tuple(marked) or self.options

    def schema(self, definitions: dict[str, Any]) -> dict[str, Any]:
        return {"anyOf": [option.schema(definitions) for option in self.options]}


@cache
def _shape(kind: Any) -> _Shape:
    """How values of the type are read."""
    origin, arguments = get_origin(kind), get_args(kind)
    shape: _Shape
    if kind is Any:
        shape = _Anything()
    elif origin is Annotated:
        shape = _Constrained(_shape(arguments[0]), arguments[1])
    elif origin is Literal:
        shape = _Options(arguments)
    elif origin in {Union, types.UnionType}:
        shape = _Union(tuple(_shape(option) for option in arguments))
    elif origin is tuple and arguments[-1] is Ellipsis:
        shape = _List(_shape(arguments[0]))
    elif origin is tuple:
        shape = _Pair(tuple(_shape(item) for item in arguments))
    elif isinstance(origin, type) and issubclass(origin, Mapping):
        shape = _Mapping(_shape(arguments[1]))
    elif is_dataclass(kind):
        shape = _Record(kind)
    elif issubclass(kind, StrEnum):
        shape = _Options(tuple(str(member) for member in kind), kind)
    else:
        shape = _SCALARS[kind]
    return shape


@cache
def _fields(kind: Any) -> dict[str, _Shape]:
    """How each field of a dataclass is read; class variables are not fields."""
    hints = get_type_hints(kind, include_extras=True)
    return {field.name: _shape(hints[field.name]) for field in fields(kind)}


def _kind_of(value: Any) -> str:
    """The kind of a JSON value, never the value."""
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, float) and not math.isfinite(value):
        return "a number that is not finite"
    scalar = _SCALARS.get(type(value))
    return scalar.expected if scalar else "a value that JSON cannot hold"


def _another(value: Any) -> str:
    """What is there where the kind may be right and the value is not."""
    return f"another {_kind_of(value).removeprefix('a ')}" if type(value) in {str, int} else _kind_of(value)


def _below(pointer: str, key: object) -> str:
    """The JSON Pointer of a key below `pointer`."""
    return f"{pointer}/{str(key).replace('~', '~0').replace('/', '~1')}"
