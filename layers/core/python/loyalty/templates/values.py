"""How values stand in a text: by type and language, and with nothing in them that a channel would take for its own.
Pure.
"""

import re
from collections.abc import Mapping
from datetime import date
from typing import Final

from loyalty.templates.template import Type, Unfit, Value, Variable
from loyalty.values import MAX_AMOUNT, MAX_POINTS, exponent

DEFAULT_MOST: Final[Mapping[Type, int]] = {
    "text": 40,
    "number": MAX_AMOUNT,
    "points": MAX_POINTS,
    "money": MAX_AMOUNT,
    "date": date(2199, 12, 31).toordinal(),
    "link": 170,
}
FIRST_DAY: Final = date(1900, 1, 1).toordinal()
"""Nobody who is written to was born before."""
LONGEST_DAY: Final = date(2199, 9, 30).toordinal()
_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_SYMBOLS: Final = {"USD": "$", "EUR": "€", "GBP": "£", "CNY": "¥", "JPY": "¥", "KRW": "₩", "INR": "₹"}
_LINK: Final = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?([/?#][!#-&(-;=?-\[\]_a-z~]*)?", re.ASCII)
"""Without quotes, angle brackets, white space, back slashes and backquotes: it stands in markup as it is."""
_INVISIBLE: Final = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff"
    r"\ufff0-\uffff\ud800-\udfff\U000e0000-\U000e0fff]+"
)
"""Controls, line breaks, what turns the direction of writing, and what nobody sees."""
_SCHEME: Final = re.compile(r"[:\uff1a][/\uff0f\\]+")
_DOMAIN: Final = re.compile(r"(?<=\w)[.\u3002\uff0e\uff61](?=[^\W\d])")
_SCRIPTED: Final = re.compile(r"\b(javascript|data|vbscript|mailto|tel|sms)\s*[:\uff1a]", re.IGNORECASE)


def plain_text(text: str) -> str:
    """A text of somebody's as a line that no mail header, no phone and no messenger makes anything of: no line breaks,
    nothing invisible, and nothing that is taken for a link. Markup is left for the channel to escape.
    """
    line = _INVISIBLE.sub(" ", text)
    line = _SCHEME.sub(": ", line)
    line = _SCRIPTED.sub(lambda found: found[1] + " ", line)
    return " ".join(_DOMAIN.sub(". ", line).split())


def cut(text: str, most: int) -> str:
    """At most so many UTF-16 units, with "…" for what is left out."""
    if units(text) <= most:
        return text
    kept: list[str] = []
    left = most - 1
    for sign in text:
        left -= units(sign)
        if left < 0:
            break
        kept.append(sign)
    return "".join(kept) + "…" if most else ""


def units(text: str) -> int:
    """UTF-16 units of a text without lone surrogates: what phones count."""
    return len(text) + sum(ord(sign) > 0xFFFF for sign in text)


def fitting(variable: Variable, value: Value) -> Value:
    """The value as its type has it; Unfit."""
    if variable.type in ("text", "link"):
        if not isinstance(value, str):
            raise Unfit(variable.name)
        if variable.type == "text":
            return cut(plain_text(value), variable.most)
        if len(value) > variable.most or not _LINK.fullmatch(value):
            raise Unfit(variable.name)
        return value
    if isinstance(value, bool) or not isinstance(value, int):
        raise Unfit(variable.name)
    if not (FIRST_DAY if variable.type == "date" else 0) <= value <= variable.most:
        raise Unfit(variable.name)
    return value


def fits(variable: Variable, value: Value) -> bool:
    """Whether a text can say it."""
    try:
        fitting(variable, value)
    except Unfit:
        return False
    return True


def has_room(variable: Variable, value: Value) -> bool:
    """Whether a text can say the whole of it."""
    return fits(variable, value) and fitting(variable, value) == value


def address(text: str) -> bool:
    """Whether it is an https address as it may stand in a header."""
    return text.startswith("https://") and _LINK.fullmatch(text) is not None


def shown(variable: Variable, value: Value, language: str, *, bare: bool = False) -> str:
    """A fitting value in a language; ``bare`` as machines read it: no separators, ISO dates."""
    if isinstance(value, str):
        return value
    if variable.type == "money":
        return _money(value, variable.currency, bare=bare)
    if variable.type == "date":
        day = date.fromordinal(value)
        if bare:
            return day.isoformat()
        if language == "zh":
            return f"{day.year}年{day.month}月{day.day}日"
        return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"
    return str(value) if bare else f"{value:,}"


def longest(variable: Variable, language: str, *, bare: bool = False) -> str:
    """What is as long as any value of it, in all ways in which channels count. Of a link an address of ours goes out,
    which is as long wherever it leads: ``most`` bounds what it leads to.
    """
    if variable.type == "text":
        return "中" * variable.most
    if variable.type == "link":
        return "https://" + "x" * (DEFAULT_MOST["link"] - 8)
    if variable.type == "date":
        return shown(variable, LONGEST_DAY, "en" if bare else language, bare=bare)
    return shown(variable, variable.most, language, bare=bare)


def _money(value: int, currency: str, *, bare: bool) -> str:
    places = exponent(currency)
    whole, part = divmod(value, 10**places)
    amount = str(whole) if bare else f"{whole:,}"
    if places:
        amount += f".{part:0{places}d}"
    symbol = _SYMBOLS.get(currency)
    return f"{currency} {amount}" if symbol is None else symbol + amount
