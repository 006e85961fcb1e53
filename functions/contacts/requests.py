"""Bodies of the contacts function's requests."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType, field

from loyalty.contacts.policy import DEFAULT_CONSENT, Cap, ContactPolicy, OfferGuard
from loyalty.contacts.record import KEPT_DAYS, KEPT_OF_A_CHANNEL, KEPT_OFFER_DAYS
from loyalty.contacts.service import Change
from loyalty.errors import Invalid
from loyalty.shapes import Body
from loyalty.values import MAX_POINTS
from loyalty.zones import zones

ChannelName = Literal["inbox", "email", "sms", "push", "wechat", "wecom", "webhook"]
Hour = Annotated[
    str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$(?!\n)", description="A local time", examples=["21:00"])
]
Zone = Annotated[
    str,
    Meta(
        pattern=r"^([A-Za-z0-9_+-]{1,32}(/[A-Za-z0-9_+-]{1,32}){0,2})?$(?!\n)",
        description="An IANA time zone; empty for the programme's",
        examples=["Asia/Shanghai"],
    ),
]
Language = Annotated[
    str,
    Meta(
        pattern=r"^([a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3})?$(?!\n)",
        description="BCP 47; empty for the programme's",
        examples=["en", "zh-CN"],
    ),
]
Address = Annotated[str, Meta(min_length=1, max_length=300)]


class CapRequest(Body):
    """At most ``count`` messages in any ``days`` days in a row; on all channels together where ``channel`` is empty."""

    count: Annotated[int, Meta(ge=0, le=KEPT_OF_A_CHANNEL)]
    days: Annotated[int, Meta(ge=1, le=KEPT_DAYS)]
    channel: ChannelName | Literal[""] = ""


class GuardRequest(Body):
    """At most so many points are offered to one member in any ``days`` days in a row."""

    points: Annotated[int, Meta(ge=0, le=MAX_POINTS)]
    days: Annotated[int, Meta(ge=1, le=KEPT_OFFER_DAYS)]
    multiplier_day: Annotated[int, Meta(ge=0, le=10**6)] = 1


class ContactPolicyRequest(Body):
    """How often, when and with whose consent members are told anything; what is left out has its default."""

    caps: Annotated[tuple[CapRequest, ...], Meta(max_length=20)] = (
        CapRequest(1, 1),
        CapRequest(3, 7),
        CapRequest(4, 30, "sms"),
    )
    quiet_from: Hour = "21:00"
    quiet_until: Hour = "09:00"
    contact_hour: Annotated[int, Meta(ge=0, le=23)] = 9
    holdout_percent: Annotated[int, Meta(ge=0, le=50)] = 0
    offer_guard: GuardRequest | None = None
    costs: dict[ChannelName, Annotated[int, Meta(ge=0, le=10**9)]] = field(default_factory=dict)
    consent: dict[ChannelName, Literal["opt_in", "opt_out"]] = field(default_factory=dict)

    def policy(self, version: int) -> ContactPolicy:
        """The policy that it asks for, over a version."""
        guard = self.offer_guard
        return ContactPolicy(
            tuple(Cap(one.channel, one.count, one.days) for one in self.caps),
            self.quiet_from,
            self.quiet_until,
            self.contact_hour,
            self.holdout_percent,
            None if guard is None else OfferGuard(guard.points, guard.days, guard.multiplier_day),
            {str(channel): cost for channel, cost in self.costs.items()},
            {**DEFAULT_CONSENT, **{str(channel): said for channel, said in self.consent.items()}},
            version,
        )


class QuietRequest(Body):
    """The member's own quiet hours."""

    quiet_from: Hour
    quiet_until: Hour


class AddressesRequest(Body):
    """Where the member is reached; null forgets an address."""

    email: Address | UnsetType | None = UNSET
    phone: Address | UnsetType | None = UNSET
    openid: Address | UnsetType | None = UNSET
    external_userid: Address | UnsetType | None = UNSET
    push_endpoint: Address | UnsetType | None = UNSET


class ContactRequest(Body):
    """What is to be different; what is left out stays. ``quiet`` and ``per_week`` set to null give way to the
    programme's. Addresses need the scope ``identities:write``, and are never answered whole.
    """

    consents: dict[ChannelName, bool] = field(default_factory=dict)
    addresses: AddressesRequest | UnsetType = UNSET
    timezone: Zone | UnsetType = UNSET
    language: Language | UnsetType = UNSET
    order: Annotated[tuple[ChannelName, ...], Meta(max_length=7)] | UnsetType = UNSET
    quiet: QuietRequest | UnsetType | None = UNSET
    per_week: Annotated[int, Meta(ge=0, le=KEPT_OF_A_CHANNEL)] | UnsetType | None = UNSET

    def change(self) -> Change:
        """The change that it asks for; Invalid names the time zone, or a channel that is there twice."""
        if self.timezone is not UNSET and self.timezone and self.timezone not in zones():
            raise Invalid("REQUEST_INVALID", "timezone: an IANA time zone, such as Europe/Berlin", field="timezone")
        if self.order is not UNSET and len(set(self.order)) != len(self.order):
            raise Invalid("REQUEST_INVALID", "order: each channel once", field="order")
        given = self.addresses
        quiet = self.quiet
        return Change(
            {str(channel): agreed for channel, agreed in self.consents.items()},
            {}
            if given is UNSET
            else {name: value for name in given.__struct_fields__ if (value := getattr(given, name)) is not UNSET},
            self.timezone,
            self.language,
            self.order,
            (quiet.quiet_from, quiet.quiet_until) if isinstance(quiet, QuietRequest) else quiet,
            self.per_week,
        )
