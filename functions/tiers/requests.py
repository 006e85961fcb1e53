"""Bodies, queries and headers of the tiers function's requests."""

from datetime import date
from typing import Annotated, Any

from msgspec import Meta

from loyalty.errors import Invalid
from loyalty.shapes import Body, Reason, Wallet
from loyalty.tiers.progress import LANGUAGES, Language

Tier = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,15}$(?!\n)", description="A tier's id", examples=["gold"])]

Lang = Annotated[Language, Meta(description="English or Simplified Chinese; else by Accept-Language, else en")]
Cursor = Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,11}$(?!\n)", description="The answer's next, to go on")]
AcceptLanguage = Annotated[str, Meta(description="Which language to answer in, such as zh-CN")]
Key = Annotated[str, Meta(description="New for each operation", examples=["2026-03-01-gold"])]


class TierRequest(Body):
    """Set a tier by hand, with its last day, or for as long as nobody changes it. ``tier`` null gives it back to what
    the member has bought.
    """

    tier: Tier | None
    reason: Reason
    until: date | None = None
    wallet: Wallet = "points"


class TierSimulationRequest(Body):
    """Tiers to try, in the policy's form, on at most ``limit`` wallets from ``cursor`` on."""

    tiers: Annotated[dict[str, Any], Meta(description="The section `tiers` of a policy")]
    cursor: Annotated[str, Meta(max_length=64, description="The answer's next, to go on")] = ""
    limit: Annotated[int, Meta(ge=1, le=500)] = 200


def language_of(asked: str | None, accepted: str) -> Language:
    """What is asked for, else the first language of Accept-Language that there is, else English."""
    if asked is None:
        tags = (part.strip().lower()[:2] for part in accepted.split(",")[:20])
        asked = next((tag for tag in tags if tag in LANGUAGES), "en")
    for language in LANGUAGES:
        if asked == language:
            return language
    raise Invalid("REQUEST_INVALID", f"lang: {' or '.join(LANGUAGES)}", field="lang")
