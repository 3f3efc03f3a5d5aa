"""The reference pages of the documentation site, as Markdown made from the code.

Every package and module directly inside `clearance`, `tasks`, `flows` and `expectations` has a page, so a new
one appears by itself. Griffe reads the code without importing it; only the command line is imported.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import griffe
from sphinx.errors import SphinxError

from clearance import cli

PACKAGES = ("clearance", "tasks", "flows", "expectations")
FOLDER = Path("docs") / "reference"


def write(root: Path) -> None:
    """Write every reference page below `root`."""
    remove(root)
    (root / FOLDER).mkdir()
    loader = griffe.GriffeLoader(search_paths=[root], docstring_parser="google")
    packages = [package for package in map(loader.load, PACKAGES) if isinstance(package, griffe.Module)]
    rooms = {room.path: room for package in packages for room in (package, *_public_modules(package))}
    pages = {
        "commands": commands(cli.main),
        "code": code(rooms),
        "schemas": schemas(root / "docs" / "schemas"),
        "decisions": "# Decisions\n\n```{toctree}\n:glob:\n\n../decisions/*\n```\n",
        **{path: room_page(room) for path, room in rooms.items()},
    }
    for name, text in pages.items():
        (root / FOLDER / f"{name}.md").write_text(text, encoding="utf-8")


def remove(root: Path) -> None:
    """Remove the reference pages: only a build has them."""
    shutil.rmtree(root / FOLDER, ignore_errors=True)


def commands(main: click.Command) -> str:
    """The help of every command, as the terminal shows it."""
    texts = ["# Command line\n"]
    for command, context in _commands(main, _context(main, "clearance", terminal_width=88)):
        path = context.command_path
        texts.append(
            f"{'#' * min(3, 1 + len(path.split()))} {path}\n\n```text\n{command.get_help(context)}\n```\n"
        )
    return "\n".join(texts)


def _commands(
    command: click.Command, context: click.Context
) -> Iterator[tuple[click.Command, click.Context]]:
    yield command, context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner and not inner.hidden:
                yield from _commands(inner, _context(inner, name, parent=context))


def _context(command: click.Command, name: str, **settings: Any) -> click.Context:
    return click.Context(command, info_name=name, **command.context_settings, **settings)


def code(rooms: dict[str, griffe.Module]) -> str:
    """The list of rooms, each with the first sentence of its docstring."""
    rows = "\n".join(f"| [`{path}`]({path}.md) | {_summary(room)} |" for path, room in rooms.items())
    tree = "\n".join(rooms)
    return f"# Python API\n\n| room | what |\n|---|---|\n{rows}\n\n```{{toctree}}\n:hidden:\n\n{tree}\n```\n"


def _summary(room: griffe.Module) -> str:
    text = room.docstring.value.split("\n\n")[0] if room.docstring else ""
    return " ".join(text.split()).replace("|", "\\|")


def _public_modules(module: griffe.Module) -> Iterator[griffe.Module]:
    for name, inner in sorted(module.modules.items()):
        if not inner.is_alias and not name.startswith("_"):
            yield inner


def schemas(folder: Path) -> str:
    """The JSON Schema of every evidence document and of the body of every kind of ledger entry."""
    sections: dict[str, list[str]] = {"Evidence documents": [], "Ledger entries": []}
    for path in sorted(folder.glob("*.schema.json")):
        text = path.read_text(encoding="utf-8").rstrip()
        name = path.name.removesuffix(".schema.json")
        description = json.loads(text).get("description", "")
        entry = f"### {name}\n\n`docs/schemas/{path.name}`\n\n{description}\n\n```json\n{text}\n```\n"
        sections["Ledger entries" if name.startswith("ledger_") else "Evidence documents"].append(entry)
    parts = [part for title, entries in sections.items() for part in (f"## {title}\n", *entries)]
    return "\n".join(["# JSON Schemas\n", *parts])


def room_page(room: griffe.Module) -> str:
    """The page of a room: the package, then each module inside it. A top package shows itself alone."""
    texts = [f"# {room.path}\n", _module(room)]
    if room.parent:
        for inner in _descendants(room):
            texts += [f"## {inner.path.removeprefix(f'{room.path}.')}\n", _module(inner)]
    return "\n".join(texts)


def _descendants(module: griffe.Module) -> Iterator[griffe.Module]:
    for inner in _public_modules(module):
        yield inner
        yield from _descendants(inner)


def _module(module: griffe.Module) -> str:
    """The directive of a module, its docstring and whatever it makes public."""
    members = "\n".join(_member(member) for member in _public(module))
    return f"```{{py:module}} {module.path}\n```\n\n{_docstring(module)}\n\n{members}"


def _public(owner: griffe.Module | griffe.Class) -> Iterator[griffe.Object]:
    """What is defined here, has no underscore and has a docstring.

    A top package shows what it exports instead, wherever that is defined.
    """
    exports = {str(export) for export in owner.exports or ()}
    for name, member in owner.members.items():
        if isinstance(member, griffe.Alias):
            target = member.final_target if name in exports and not owner.parent else None
        else:
            target = member if member.has_docstring and not name.startswith("_") else None
        if isinstance(target, griffe.Object) and not target.is_module:
            yield target


def _member(member: griffe.Object) -> str:
    """The directive of a class, a function, a property or a constant."""
    within = isinstance(member.parent, griffe.Class)
    if isinstance(member, griffe.Class):
        inside = "\n".join(_member(inner) for inner in _public(member) if not inner.is_class)
        return _directive(
            "class", _constructor(member), f"{_docstring(member)}\n\n{_fields(member)}\n\n{inside}"
        )
    if isinstance(member, griffe.Function):
        return _directive("method" if within else "function", _signature(member), _docstring(member))
    annotation = ""
    if isinstance(member, griffe.Attribute) and member.annotation:
        annotation = f":type: {_annotation(member.annotation)}\n\n"
    kind = "property" if "property" in member.labels else "attribute" if within else "data"
    return _directive(kind, member.name, annotation + _docstring(member))


def _directive(kind: str, signature: str, body: str) -> str:
    fence = "`" * (8 if kind == "class" else 6)
    return f"{fence}{{py:{kind}}} {signature}\n{body}\n{fence}\n"


def _constructor(member: griffe.Class) -> str:
    """The class as it is called, when it says itself how."""
    make = member.members.get("__init__")
    if not isinstance(make, griffe.Function):
        return member.name
    return _signature(griffe.Function(member.name, parameters=make.parameters, parent=member))


def _signature(function: griffe.Function) -> str:
    """The signature with the full name of each type, so that it links to the right one; `~` shows its end."""
    parameters = [
        griffe.Parameter(
            parameter.name,
            annotation=_annotation(parameter.annotation),
            kind=parameter.kind,
            default=parameter.default,
        )
        for parameter in function.parameters
        if parameter.name not in {"self", "cls"}
    ]
    shown = griffe.Function(
        function.name, parameters=griffe.Parameters(*parameters), returns=_annotation(function.returns)
    )
    return str(shown.signature(name=function.name))


def _annotation(annotation: str | griffe.Expr | None) -> str | None:
    if annotation is None or isinstance(annotation, str):
        return annotation
    if isinstance(annotation, griffe.ExprName | griffe.ExprAttribute):
        path = annotation.canonical_path
        return f"~{path}" if "." in path else path
    return "".join(_annotation(part) or "" for part in annotation.iterate(flat=False))


def _fields(member: griffe.Class) -> str:
    """The values of an enumeration or the fields of a model, which have no constructor of their own."""
    if "__init__" in member.members:
        return ""
    lines = [
        name
        + (f": {field.annotation}" if field.annotation else "")
        + (f" = {field.value}" if field.value else "")
        for name, field in member.members.items()
        if isinstance(field, griffe.Attribute) and not name.startswith("_") and not field.has_docstring
    ]
    return "```python\n" + "\n".join(lines) + "\n```" if lines else ""


def _docstring(member: griffe.Object) -> str:
    """The docstring as Markdown, its Google sections as a field list."""
    if not member.docstring:
        return ""
    return "\n\n".join(map(_section, member.docstring.parsed))


def _section(section: griffe.DocstringSection) -> str:
    match section:
        case griffe.DocstringSectionParameters():
            return "\n".join(f":param {item.name}: {_line(item.description)}" for item in section.value)
        case griffe.DocstringSectionReturns() | griffe.DocstringSectionYields():
            return "\n".join(f":returns: {_line(item.description)}" for item in section.value)
        case griffe.DocstringSectionRaises():
            return "\n".join(
                f":raises {item.annotation}: {_line(item.description)}" for item in section.value
            )
        case griffe.DocstringSectionText():
            return section.value
        case griffe.DocstringSectionAdmonition():
            return f"**{section.title}** {section.value.contents}"
    raise SphinxError(f"the documentation site cannot show a docstring section of kind {section.kind.value}")


def _line(text: str) -> str:
    return " ".join(text.split())
