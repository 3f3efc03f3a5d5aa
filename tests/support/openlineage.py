"""The official OpenLineage schemas, where this machine has them, and the events that a project recorded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from referencing import Registry, Resource

from clearance.lineage import spool

ROOT = Path(__file__).resolve().parents[2]
PLACES = [parent / "shared" / "data" / "openlineage" for parent in ROOT.parents]
SPECIFICATION = "https://openlineage.io/spec/2-0-2/OpenLineage.json"

Event = dict[str, Any]


@cache
def _schemas() -> dict[str, Any]:
    """All schemas by their address. Skips where they are not there."""
    folder = next((place for place in PLACES if place.is_dir()), None)
    if folder is None:
        pytest.skip("the official OpenLineage schemas are not beside the repository")
    contents = [json.loads(file.read_text()) for file in sorted(folder.rglob("*.json"))]
    return {content["$id"]: content for content in contents}


@cache
def _validator(address: str) -> jsonschema.Draft202012Validator:
    """The validator of what an address names, such as `…/1-2-0/SchemaDatasetFacet.json#/$defs/…`.

    The client is newer than one schema that we have: for another version of a facet, the one that is there.
    """
    place, _, pointer = address.partition("#")
    if place not in _schemas():
        name = place.rpartition("/")[2]
        place = next(known for known in _schemas() if known.endswith(f"/{name}"))
    registry = Registry().with_resources(
        (known, Resource.from_contents(content)) for known, content in _schemas().items()
    )
    return jsonschema.Draft202012Validator(
        {"$ref": f"{place}#{pointer}"}, registry=registry, format_checker=jsonschema.FormatChecker()
    )


def faults(event: Event) -> list[str]:
    """What the official schemas find wrong with an event and each of its facets."""
    found = [
        f"{error.json_path}: {error.message}"
        for error in _validator(f"{SPECIFICATION}#/$defs/RunEvent").iter_errors(event)
    ]
    for name, facet in facets(event):
        found += [
            f"{name}{error.json_path}: {error.message}"
            for error in _validator(facet["_schemaURL"]).iter_errors(facet)
        ]
    return found


def facets(event: Event) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every facet of an event with its key."""
    yield from event["run"]["facets"].items()
    yield from event["job"]["facets"].items()
    for dataset in (*event["inputs"], *event["outputs"]):
        for kind in ("facets", "inputFacets", "outputFacets"):
            yield from dataset.get(kind, {}).items()


def runs(root: Path) -> list[list[Event]]:
    """The events of each run that the project at `root` has recorded, oldest run first."""
    return [run.read() for run in spool.runs(root)]


def by_step(run: list[Event]) -> dict[str, list[str]]:
    """The event types of each job of a run, in order; its own by the name of the pipeline's job."""
    types: dict[str, list[str]] = {}
    for event in run:
        types.setdefault(event["job"]["name"], []).append(event["eventType"])
    return types


def tags(event: Event) -> dict[str, str]:
    """The tags of the run."""
    return {tag["key"]: tag["value"] for tag in event["run"]["facets"]["tags"]["tags"]}
