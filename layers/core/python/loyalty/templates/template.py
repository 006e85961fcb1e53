"""Templates and what they come to. Pure.

A template has texts by channel and language; what stands in them is said by its variables, each with a type and a
bound. ``templates.document`` reads and checks them, so whatever is rendered here was found to fit.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal

from msgspec import Struct

LANGUAGES: Final = ("en", "zh")
DEFAULT_LANGUAGE: Final = "en"
UNSUBSCRIBE: Final = "unsubscribe"
"""The one variable that every text has without declaring it: the member's own link to have no more of this."""

Type = Literal["text", "number", "points", "money", "date", "link"]
TYPES: Final[tuple[Type, ...]] = ("text", "number", "points", "money", "date", "link")
Value = str | int
"""What a variable holds: text and link are str; number and points int; money int in minor units; a date its ordinal."""

FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "email": ("subject", "text", "html"),
    "sms": ("text",),
    "push": ("title", "text"),
    "inbox": ("title", "text"),
    "wechat": (),
    "wecom": ("text",),
    "webhook": (),
}
"""The parts of a text by channel. WeChat's are named by the programme's template there (``thing1``, ``amount2``), and a
webhook is given the variables themselves.
"""


class Variable(Struct, frozen=True):
    """``most`` bounds it: UTF-16 units of a text or link, the largest number else. ``currency`` is money's."""

    name: str
    type: Type
    most: int
    currency: str = ""


class Template(Struct, frozen=True):
    """``texts`` by channel, language and part; ``setup`` by channel what the channel itself wants (WeChat's
    ``template_id`` and ``page``). ``service`` messages are no advertising: they need no link to unsubscribe.
    """

    id: str
    variables: tuple[Variable, ...]
    texts: Mapping[str, Mapping[str, Mapping[str, str]]]
    setup: Mapping[str, Mapping[str, str]] = {}
    service: bool = False

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels that it can go out on."""
        return tuple(self.texts)


class Rendered(Struct, frozen=True):
    """A message as it goes out. ``subject`` is an e-mail's, or the title; ``html`` is "" for all but e-mails; ``data``
    is a webhook's variables, or WeChat's fields with ``template_id``, ``page`` and ``lang``. ``language`` is the one
    that it is in.
    """

    subject: str = ""
    text: str = ""
    html: str = ""
    data: Mapping[str, str] = {}
    language: str = ""


def spoken(language: str) -> str:
    """The language of ours in which to speak to somebody of a BCP 47 language: ``zh`` for ``zh-CN``, English where
    there is no other.
    """
    primary = language.partition("-")[0]
    return primary if primary in LANGUAGES else DEFAULT_LANGUAGE


class Unfit(ValueError):
    """A variable is missing, or holds what its type cannot say. Names the variable, never its value."""


def encode(template: Template) -> dict[str, Any]:
    """Compact JSON data."""
    return {
        "i": template.id,
        "v": [[one.name, one.type, one.most, one.currency] for one in template.variables],
        "t": {channel: {each: dict(parts) for each, parts in said.items()} for channel, said in template.texts.items()},
        "u": {channel: dict(given) for channel, given in template.setup.items()},
        "s": int(template.service),
    }


def decode(data: Mapping[str, Any]) -> Template:
    """Inverse of ``encode``."""
    return Template(data["i"], tuple(Variable(*one) for one in data["v"]), data["t"], data["u"], bool(data["s"]))
