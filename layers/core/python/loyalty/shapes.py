"""Types that several request bodies share, with the bounds that the OpenAPI document shows."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from loyalty.values import MAX_AMOUNT, MAX_POINTS

# Patterns end in ``$(?!\n)``: alone, Python's ``$`` also matches before a last newline, and "1" and "1\n" are two
# orders.


class Body(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A request body: an unknown field is an error, for a misspelt one would be lost in silence.

    Encoded, it leaves out what has its default: a stored fingerprint of a body holds when the shape gets a new optional
    field, and a till that repeats yesterday's request is known.
    """


Points = Annotated[int, Meta(ge=1, le=MAX_POINTS, description="Whole points", examples=[100])]
MinorUnits = Annotated[int, Meta(ge=0, le=MAX_AMOUNT)]
Decimal = Annotated[str, Meta(pattern=r"^[0-9]{1,10}(\.[0-9]{1,3})?$(?!\n)")]
Amount = Annotated[
    MinorUnits | Decimal,
    Meta(
        description='Money: minor units as an integer (1234), or major units as a decimal string ("12.34")',
        examples=["12.34"],
    ),
]
Wallet = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9]{0,15}$(?!\n)", description="Wallet", examples=["points"])]
MemberId = Annotated[str, Meta(pattern=r"^mem_[0-7][0-9A-HJKMNP-TV-Z]{25}$(?!\n)", description="A member's id")]
Identity = Annotated[
    str,
    Meta(
        pattern=(
            r"^(phone:(\+|00)[ ().\[\]/-]*[1-9][0-9 ().\[\]/-]{6,40}"
            r"|email:[!-?A-~]{1,64}@[!-?A-~]{1,60}\.[!-?A-~]{1,60}"
            r"|(card|openid|unionid):[!-~]{1,128})$(?!\n)"
        ),
        max_length=136,
        description="kind:value, such as phone:+49 151 12345678, card:10001, openid:o6_b…, email:a@example.com",
        examples=["card:10001"],
    ),
]
Source = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9._-]{1,32}$(?!\n)", description="The system an order comes from", examples=["pos"])
]
OrderId = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9._:-]{1,64}$(?!\n)", description="Its id there", examples=["2026-0001"])
]
StoreId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{0,32}$(?!\n)", description="The store", examples=["319"])]
Channel = Annotated[
    str, Meta(pattern=r"^[a-z][a-z0-9_]{0,31}$(?!\n)", description="Where it happened", examples=["store"])
]
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}$(?!\n)", description="ISO 4217", examples=["USD"])]
Moment = Annotated[datetime, Meta(tz=True, description="RFC 3339 with offset", examples=["2026-03-01T12:30:00Z"])]
Reason = Annotated[
    str,
    Meta(
        pattern=r"^[^\x00-\x1f\x7f\ufffd]{1,200}$(?!\n)",
        description="Why, for whoever reads the ledger, in one line; nothing personal",
    ),
]
Label = Annotated[
    str,
    Meta(
        # U+FFFD is what is left of bytes that were no text
        pattern=r"^[^\x00-\x1f\x7f-\x9f\ufffd]{0,64}$(?!\n)",
        description="Any script, in one line",
        examples=["dairy"],
    ),
]
Name = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,31}$(?!\n)", description="A name that a rule set declares")]


def seconds(moment: datetime) -> int:
    """Whole seconds since 1970, UTC."""
    return int(moment.timestamp())
