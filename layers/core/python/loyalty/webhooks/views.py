"""How webhooks look from outside: never with a secret, but for the once that it is new."""

from msgspec import UNSET, Struct, UnsetType

from loyalty.webhooks.delivery import Delivery, iso
from loyalty.webhooks.endpoint import Endpoint


class WebhookView(Struct, frozen=True, omit_defaults=True):
    """A webhook. ``failing_since`` is missing while it works; ``why`` is the code that it was switched off for, as
    deliveries have them.
    """

    id: str
    url: str
    events: list[str]
    ordered: bool
    enabled: bool
    created_at: str
    failing_since: str | UnsetType = UNSET
    took_at: str | UnsetType = UNSET
    why: str | UnsetType = UNSET
    old_secret_until: str | UnsetType = UNSET


class WebhooksView(Struct, frozen=True):
    """All of a programme's, the oldest first."""

    webhooks: list[WebhookView]


class WebhookSecretView(Struct, frozen=True):
    """A webhook and its new secret, which is shown this once."""

    webhook: WebhookView
    secret: str


class DeliveryView(Struct, frozen=True, omit_defaults=True):
    """One event on its way. ``id`` is the header ``webhook-id``; ``code`` what the newest
    try came to.
    """

    id: str
    type: str
    state: str
    recorded_at: str
    tries: int = 0
    tried_at: str | UnsetType = UNSET
    code: str | UnsetType = UNSET
    member: str | UnsetType = UNSET


class DeliveriesView(Struct, frozen=True):
    """The newest first."""

    deliveries: list[DeliveryView]


class ReplayView(Struct, frozen=True):
    """What is being sent anew."""

    since: str
    until: str


def webhook_view(endpoint: Endpoint, now: int) -> WebhookView:
    """A webhook for the API."""
    overlap = endpoint.before and now < endpoint.before_until
    return WebhookView(
        id=endpoint.id,
        url=endpoint.url,
        events=[*endpoint.events],
        ordered=endpoint.ordered,
        enabled=endpoint.state == "on",
        created_at=iso(endpoint.created),
        failing_since=iso(endpoint.failing) if endpoint.failing else UNSET,
        took_at=iso(endpoint.took) if endpoint.took else UNSET,
        why=endpoint.why or UNSET,
        old_secret_until=iso(endpoint.before_until) if overlap else UNSET,
    )


def delivery_view(delivery: Delivery) -> DeliveryView:
    """A delivery for the API."""
    return DeliveryView(
        id=delivery.name,
        type=delivery.kind,
        state=delivery.state,
        recorded_at=iso(delivery.at),
        tries=delivery.tries,
        tried_at=iso(delivery.tried) if delivery.tried else UNSET,
        code=delivery.code or UNSET,
        member=delivery.member or UNSET,
    )
