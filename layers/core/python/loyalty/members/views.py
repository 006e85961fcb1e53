"""How members look from outside. An identity's value is not stored, so an answer names its kind alone."""

from msgspec import UNSET, Struct, UnsetType

from loyalty.ledger.views import iso
from loyalty.members.member import Attribute, Member


class MemberView(Struct, frozen=True, omit_defaults=True):
    """A member. ``identities`` are kinds, one for each identity it is recognised by."""

    id: str
    kind: str
    identities: list[str]
    attributes: dict[str, str | int | bool]
    enrolled_at: str
    changed_at: str
    language: str | UnsetType = UNSET
    tier: str | UnsetType = UNSET
    segments: list[str] | UnsetType = UNSET


class MembersView(Struct, frozen=True, omit_defaults=True):
    """Members; ``next`` is the cursor of the page after this one, and missing on the last."""

    members: list[MemberView]
    next: str | UnsetType = UNSET


class TokenView(Struct, frozen=True):
    """A token that speaks for one member until it expires."""

    token: str
    member: str
    expires_at: str


def member_view(member: Member) -> MemberView:
    """A member for the API."""
    attributes: dict[str, Attribute] = dict(member.attributes)
    return MemberView(
        id=member.id,
        kind=member.kind,
        identities=[kind for kind, _ in member.identities],
        attributes=attributes,
        enrolled_at=iso(member.enrolled),
        changed_at=iso(member.changed),
        language=member.language or UNSET,
        tier=member.tier or UNSET,
        segments=list(member.segments) or UNSET,
    )
