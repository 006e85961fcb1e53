"""Segments as they were checked, with all that is needed to ask who is in them. Plain data, kept as JSON."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from loyalty.errors import Corrupt
from loyalty.rules import thresholds
from loyalty.rules.ruleset import Names
from loyalty.rules.schema import Layout
from loyalty.rules.tree import Node, Type
from loyalty.segments.facts import CATEGORY, FAVOURITE, layout


class Segment(Struct, frozen=True):
    """One audience: whoever the condition is true of."""

    id: str
    names: Names
    when: Node
    text: str


class Segments(Struct, frozen=True):
    """All segments of a programme, in the order of their ids. ``version`` counts the files handed in, from 1."""

    program: str
    currency: str
    segments: tuple[Segment, ...] = ()
    attributes: Mapping[str, Type] = {}
    categories: tuple[str, ...] = ()
    version: int = 0

    @property
    def layout(self) -> Layout:
        return layout(self.attributes, self.categories)


def encode(segments: Segments) -> str:
    """As JSON text."""
    return msgspec.json.encode(segments, order="sorted").decode()


def decode(text: str) -> Segments:
    """Inverse of ``encode``; Corrupt. Fields are found anew by their names: a later product may know more of them."""
    try:
        data = msgspec.json.decode(text)
        at = layout(data.get("attributes", {}), tuple(data.get("categories", ())))
        return msgspec.convert(_placed(data, at), Segments)
    except (msgspec.MsgspecError, KeyError, AttributeError) as error:
        raise Corrupt("stored segments cannot be read") from error


def _placed(data: Any, at: Layout) -> Any:
    if isinstance(data, list):
        return [_placed(one, at) for one in data]
    if not isinstance(data, dict):
        return data
    if data.get("n") == "field":
        return {**data, "index": at.places[data["name"]].index}
    return {name: _placed(one, at) for name, one in data.items()}


def mentioned(segments: Segments) -> frozenset[str]:
    """Names of all facts that conditions speak of."""
    return thresholds.mentioned(msgspec.to_builtins([one.when for one in segments.segments]))


def speaks_of_categories(segments: Segments) -> bool:
    """Whether anybody asks what was bought."""
    return any(name == FAVOURITE or name.startswith(CATEGORY) for name in mentioned(segments))
