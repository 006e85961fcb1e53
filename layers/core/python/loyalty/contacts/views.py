"""How contact looks from outside. Addresses are masked: they can be replaced, and never read."""

from datetime import date

from msgspec import UNSET, Struct, UnsetType

from loyalty.contacts.addresses import masked
from loyalty.contacts.decide import REASONS
from loyalty.contacts.policy import Cap, ContactPolicy, OfferGuard
from loyalty.contacts.preferences import CHANNELS, Addresses, Preferences
from loyalty.contacts.record import Record
from loyalty.ledger.views import iso


class PolicyView(Struct, frozen=True):
    """The contact policy with everything that goes, said or not; it can be sent back as it is."""

    caps: tuple[Cap, ...]
    quiet_from: str
    quiet_until: str
    contact_hour: int
    holdout_percent: int
    offer_guard: OfferGuard | None
    costs: dict[str, int]
    consent: dict[str, str]


class ConsentView(Struct, frozen=True, omit_defaults=True):
    """Whether advertising may go out on a channel. ``at`` and ``by`` are missing where the member has said nothing and
    the policy's default goes.
    """

    agreed: bool
    at: str | UnsetType = UNSET
    by: str | UnsetType = UNSET


class ContactView(Struct, frozen=True, omit_defaults=True):
    """A member's contact. ``quiet`` and ``per_week`` are missing where the programme's go; ``dead`` are channels that
    reach the member no more, with the reason; ``unsubscribe`` is the path of the link that ends all advertising, for
    whoever may change the contact: the link itself asks nobody who they are.
    """

    consents: dict[str, ConsentView]
    addresses: dict[str, str]
    order: list[str]
    dead: dict[str, str]
    unsubscribe: str | UnsetType = UNSET
    timezone: str | UnsetType = UNSET
    language: str | UnsetType = UNSET
    quiet: list[str] | UnsetType = UNSET
    per_week: int | UnsetType = UNSET


class SentView(Struct, frozen=True):
    """A message that went out on a day of the member's."""

    day: str
    channel: str
    campaign: str


class LeftOutView(Struct, frozen=True):
    """A message that did not, and why."""

    day: str
    campaign: str
    occasion: str
    step: str
    reason: str
    why: str


class ContactsView(Struct, frozen=True):
    """What a member was sent of late, and what was left out, the newest first."""

    sent: list[SentView]
    left_out: list[LeftOutView]


def policy_view(policy: ContactPolicy) -> PolicyView:
    """The contact policy for the API."""
    return PolicyView(
        policy.caps,
        policy.quiet_from,
        policy.quiet_until,
        policy.contact_hour,
        policy.holdout_percent,
        policy.offer_guard,
        dict(policy.costs),
        dict(policy.consent),
    )


def contact_view(
    preferences: Preferences, addresses: Addresses, policy: ContactPolicy, unsubscribe: str
) -> ContactView:
    """A member's contact for the API."""
    newest = {one.channel: one for one in preferences.given}
    return ContactView(
        consents={
            channel: ConsentView(
                policy.agreed(preferences.consents, channel),
                iso(newest[channel].at) if channel in newest else UNSET,
                newest[channel].by if channel in newest else UNSET,
            )
            for channel in CHANNELS
        },
        addresses=masked(addresses),
        order=list(preferences.order),
        dead=dict(preferences.dead),
        unsubscribe=unsubscribe or UNSET,
        timezone=preferences.timezone or UNSET,
        language=preferences.language or UNSET,
        quiet=UNSET if preferences.quiet is None else list(preferences.quiet),
        per_week=UNSET if preferences.per_week is None else preferences.per_week,
    )


def contacts_view(record: Record) -> ContactsView:
    """What was sent and left out, for the API."""
    return ContactsView(
        [SentView(_day(one.day), one.channel, one.campaign) for one in reversed(record.sent)],
        [
            LeftOutView(_day(one.day), one.campaign, one.occasion, one.step, one.reason, REASONS.get(one.reason, ""))
            for one in reversed(record.left_out)
        ],
    )


def _day(ordinal: int) -> str:
    return date.fromordinal(ordinal).isoformat()
