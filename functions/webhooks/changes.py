"""A webhook as a request wants it: its types are ones that there are, its address one that may be sent to."""

from collections.abc import Callable
from secrets import token_bytes
from typing import Final

from msgspec import UNSET
from msgspec.structs import replace

from functions.webhooks.requests import WebhookChange, WebhookRequest
from loyalty.channels.channel import NotSent
from loyalty.channels.signing import secret_of
from loyalty.errors import Invalid, Refused
from loyalty.runtime.senders import may_be_sent_to
from loyalty.webhooks.endpoint import Endpoint, new_id
from loyalty.webhooks.service import wanted
from loyalty.webhooks.types import TYPES

KEY_BYTES: Final = 32


def new_secret() -> str:
    return secret_of(token_bytes(KEY_BYTES))


def made(body: WebhookRequest, now: int) -> Endpoint:
    """Invalid for a type that there is none of, Refused for an address."""
    _known(body.events)
    _reachable(body.url)
    return Endpoint(
        id=new_id(now * 1000, token_bytes(10)),
        url=body.url,
        events=body.events,
        secret=new_secret(),
        created=now,
        ordered=body.ordered,
    )


def changed(body: WebhookChange) -> Callable[[Endpoint], Endpoint]:
    """The change, to be made over whatever there is; raises as ``made`` does."""
    if body.events is not UNSET:
        _known(body.events)
    if body.url is not UNSET:
        _reachable(body.url)

    def change(endpoint: Endpoint) -> Endpoint:
        after = replace(
            endpoint,
            url=endpoint.url if body.url is UNSET else body.url,
            events=endpoint.events if body.events is UNSET else body.events,
            ordered=endpoint.ordered if body.ordered is UNSET else body.ordered,
        )
        if body.enabled is UNSET:
            return after
        return after.switched_on() if body.enabled else replace(after, state="off")

    return change


def _known(events: tuple[str, ...]) -> None:
    unknown = wanted(events, TYPES)
    if unknown:
        field = f"events[{events.index(unknown[0])}]"
        raise Invalid("REQUEST_INVALID", f"{field}: there is no event {unknown[0]}", field=field)


def _reachable(url: str) -> None:
    try:
        may_be_sent_to(url)
    except NotSent as error:
        raise Refused("WEBHOOK_URL_REFUSED", f"url: {error}", field="url") from None
