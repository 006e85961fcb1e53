"""Members, and what may be changed about them. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct, field
from msgspec.structs import replace

from loyalty.errors import Invalid

MAX_IDENTITIES: Final = 10
MAX_ATTRIBUTES: Final = 20
MAX_SEGMENTS: Final = 20
KINDS: Final = ("member", "employee", "supplier", "household", "pool")
ANONYMOUS: Final = frozenset({"household", "pool"})
"""Kinds that are reached by their id alone; all others are recognised by at least one identity."""

Attribute = str | int | bool
Known = tuple[str, str]
"""An identity as it is stored: its kind and its keyed digest."""


class Member(Struct, frozen=True):
    """One member as stored. ``version`` counts its edits from 1; times in seconds since 1970, UTC."""

    id: str
    kind: str
    identities: tuple[Known, ...]
    attributes: Mapping[str, Attribute]
    language: str
    enrolled: int
    changed: int
    version: int = 1
    tier: str = ""
    segments: tuple[str, ...] = ()


class Enrolment(Struct, frozen=True):
    """Who is enrolled. ``identities`` are ``kind:value`` as they were sent."""

    kind: str
    identities: tuple[str, ...] = ()
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    language: str = ""


class Change(Struct, frozen=True):
    """What is to be different. ``attributes`` set to None are removed; None for any other is left as it is."""

    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    attributes: Mapping[str, Attribute | None] = field(default_factory=dict)
    language: str | None = None
    tier: str | None = None
    segments: tuple[str, ...] | None = None


def check(member: Member, named: str) -> Member:
    """The member, if it may be so; Invalid names the field ``named`` or ``attributes``."""
    if not member.identities and member.kind not in ANONYMOUS:
        raise Invalid("REQUEST_INVALID", f"A {member.kind} has at least one identity", field=named)
    if len(member.identities) > MAX_IDENTITIES:
        raise Invalid("REQUEST_INVALID", f"A member has at most {MAX_IDENTITIES} identities", field=named)
    if len(member.attributes) > MAX_ATTRIBUTES:
        raise Invalid("REQUEST_INVALID", f"A member has at most {MAX_ATTRIBUTES} attributes", field="attributes")
    return member


def distinct(identities: list[Known], named: str) -> tuple[Known, ...]:
    """The same; Invalid names the one that is there twice."""
    for position, one in enumerate(identities):
        if one in identities[:position]:
            name = f"{named}[{position}]"
            raise Invalid("REQUEST_INVALID", f"{name} is the same as another of them", field=name)
    return tuple(identities)


def changed(member: Member, add: tuple[Known, ...], remove: tuple[Known, ...], change: Change, now: int) -> Member:
    """The member after a change; the same member when nothing is different. Invalid when it may not be so."""
    for position, one in enumerate(remove):
        if one not in member.identities:
            name = f"remove_identities[{position}]"
            raise Invalid("REQUEST_INVALID", f"{name} is no identity of this member", field=name)
    identities = tuple(one for one in member.identities if one not in remove)
    identities += tuple(one for one in add if one not in identities)
    attributes: dict[str, Attribute] = dict(member.attributes)
    for name, value in change.attributes.items():
        if value is None:
            attributes.pop(name, None)
        else:
            attributes[name] = value
    after = replace(
        member,
        identities=identities,
        attributes=attributes,
        language=member.language if change.language is None else change.language,
        tier=member.tier if change.tier is None else change.tier,
        segments=member.segments if change.segments is None else tuple(sorted(set(change.segments))),
    )
    if after == member:
        return member
    return check(
        replace(after, changed=now, version=member.version + 1),
        "remove_identities" if remove and not add else "add_identities",
    )


def encode(member: Member) -> dict[str, Any]:
    """Compact JSON data of a member."""
    data: dict[str, Any] = {
        "k": member.kind,
        "i": [list(one) for one in member.identities],
        "a": dict(member.attributes),
        "l": member.language,
        "e": member.enrolled,
        "c": member.changed,
    }
    if member.tier:
        data["t"] = member.tier
    if member.segments:
        data["s"] = list(member.segments)
    return data


def decode(member_id: str, data: dict[str, Any], version: int) -> Member:
    """Inverse of ``encode``."""
    return Member(
        id=member_id,
        kind=data["k"],
        identities=tuple((kind, digest) for kind, digest in data["i"]),
        attributes=data["a"],
        language=data["l"],
        enrolled=data["e"],
        changed=data["c"],
        version=version,
        tier=data.get("t", ""),
        segments=tuple(data.get("s", ())),
    )
