"""Bodies and queries of the members function's requests."""

from typing import Annotated, Literal

from msgspec import Meta, field

from loyalty.members.member import MAX_ATTRIBUTES, MAX_IDENTITIES, MAX_SEGMENTS
from loyalty.members.tokens import DEFAULT_TTL, MAX_TTL, MIN_TTL
from loyalty.shapes import Body, Identity, Reason, Wallet

Identities = Annotated[tuple[Identity, ...], Meta(max_length=MAX_IDENTITIES)]
Name = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,31}$(?!\n)")]
Value = Annotated[str, Meta(max_length=200)] | Annotated[int, Meta(ge=-(10**15), le=10**15)] | bool
Kind = Literal["member", "employee", "supplier", "household", "pool"]
Language = Annotated[
    str,
    Meta(pattern=r"^([a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3})?$(?!\n)", description="BCP 47", examples=["en", "zh-Hant"]),
]
Standing = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,32}$(?!\n)", examples=["gold"])]
Tier = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{0,32}$(?!\n)", description="Empty for none", examples=["gold"])]
Limit = Annotated[int, Meta(ge=1, le=100, description="How many at most; 50 when left out")]
Cursor = Annotated[
    str, Meta(pattern=r"^[0-9]{1,2}(\.mem_[0-9A-Z]{26})?$(?!\n)", description="The answer's next, to go on")
]


class EnrolmentRequest(Body):
    """Who is to be enrolled. A household and a pool need no identity, all others at least one."""

    kind: Kind = "member"
    identities: Identities = ()
    attributes: Annotated[dict[Name, Value], Meta(max_length=MAX_ATTRIBUTES)] = field(default_factory=dict)
    language: Language = ""


class ChangeRequest(Body):
    """What is to be different; what is left out stays. An attribute set to null is removed.

    Identities need the scope ``identities:write``, tier and segments ``standing:write``.
    """

    add_identities: Identities = ()
    remove_identities: Identities = ()
    attributes: Annotated[dict[Name, Value | None], Meta(max_length=MAX_ATTRIBUTES)] = field(default_factory=dict)
    language: Language | None = None
    tier: Tier | None = None
    segments: Annotated[tuple[Standing, ...], Meta(max_length=MAX_SEGMENTS)] | None = None


class TokenRequest(Body):
    """How long the token is to last, in seconds."""

    ttl: Annotated[int, Meta(ge=MIN_TTL, le=MAX_TTL)] = DEFAULT_TTL


class StatusRequest(Body):
    """Which wallet, and why."""

    reason: Reason
    wallet: Wallet = "points"


class CloseRequest(StatusRequest):
    """``forfeit`` gives up what the wallet still has, and forgives what it owes; without it such a wallet stays."""

    forfeit: bool = False
