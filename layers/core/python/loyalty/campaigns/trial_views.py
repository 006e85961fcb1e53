"""How a trial is answered."""

from datetime import date
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from loyalty.campaigns.trial import Said, Trial


class SmsView(Struct, frozen=True):
    """How long an SMS is, with its links as long as they can be."""

    encoding: Annotated[str, Meta(description="GSM-7, or UCS-2 for a text with any other sign")]
    length: Annotated[int, Meta(description="In places of that encoding")]
    segments: Annotated[int, Meta(description="Messages that it is sent and paid as")]


class TextView(Struct, frozen=True, omit_defaults=True):
    """One text as it would be read. ``subject`` is the title where the channel has one; ``data`` are WeChat's fields,
    or a webhook's variables.
    """

    template: str
    channel: str
    language: str
    variant: Annotated[str, Meta(description="Missing where all variants are told the same")] = ""
    subject: str = ""
    text: str = ""
    html: str = ""
    data: dict[str, str] = {}
    links: Annotated[
        dict[str, str], Meta(description="Where each link would lead, by the address in its place, which leads nowhere")
    ] = {}
    sms: SmsView | UnsetType = UNSET


class TextsView(Struct, frozen=True, omit_defaults=True):
    """What a step says on a day, by channel and language."""

    campaign: str
    version: Annotated[int, Meta(description="The newest that was handed in")]
    step: str
    day: str
    texts: list[TextView]


def texts_view(found: Trial) -> TextsView:
    day = date.fromordinal(found.day).isoformat()
    return TextsView(found.campaign, found.version, found.step, day, [_text(one) for one in found.said])


def _text(one: Said) -> TextView:
    said, sms = one.rendered, one.length
    return TextView(
        template=one.template,
        channel=one.channel,
        language=said.language,
        variant=one.variant,
        subject=said.subject,
        text=said.text,
        html=said.html,
        data=dict(said.data),
        links=dict(one.links),
        sms=UNSET
        if sms is None
        else SmsView("GSM-7" if sms.gsm else "UCS-2", sms.places if sms.gsm else sms.units, one.segments),
    )
