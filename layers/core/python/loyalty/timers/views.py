"""How the nights of a programme look from outside. Pure."""

from collections.abc import Mapping, Sequence
from datetime import date

from msgspec import UNSET, Struct, UnsetType

from loyalty.ledger.views import iso
from loyalty.timers.timer import Aside


class AsideView(Struct, frozen=True, omit_defaults=True):
    """An account that a night could not see to, and why: a code. It was ``at`` that moment, for what was due on
    ``day``; it is looked at again on the day ``again``, or with its next entry where that is missing.
    """

    member: str
    wallet: str
    kind: str
    day: str
    reason: str
    at: str
    again: str | UnsetType = UNSET


class NightView(Struct, frozen=True, omit_defaults=True):
    """By kind of what is due, the last day of which everything is done; and a page of those who could not be seen to
    and have not been since. ``next`` is the cursor of the page after this one, and missing on the last.
    """

    done: dict[str, str]
    aside: list[AsideView]
    next: str | UnsetType = UNSET


def night_view(marks: Mapping[str, int], aside: Sequence[Aside], following: str) -> NightView:
    """For the API."""
    done = {kind: date.fromordinal(day).isoformat() for kind, day in sorted(marks.items())}
    return NightView(done, [_aside(one) for one in aside], following or UNSET)


def _aside(one: Aside) -> AsideView:
    chain, kind, day = one.timer.chain, one.timer.kind, one.timer.day
    return AsideView(
        member=chain.account,
        wallet=chain.wallet,
        kind=kind,
        day=date.fromordinal(day).isoformat(),
        reason=one.reason,
        at=iso(one.at),
        again=date.fromordinal(one.again).isoformat() if one.again else UNSET,
    )
