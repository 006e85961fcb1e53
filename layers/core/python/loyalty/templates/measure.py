"""How long a text is for the channel it goes out on, and WeChat's rules for what may stand in which field. Pure."""

import re
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

_GSM: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""The basic table of 3GPP TS 23.038."""
_GSM_EXTENDED: Final = frozenset("\f^{}\\[~]|€")
"""Its extension: two places each."""

_NUMBER: Final = r"[0-9]{1,32}|(?=[0-9.]{3,32}$)[0-9]+\.[0-9]+"
_DAY: Final = r"[0-9]{4}(年[0-9]{1,2}月([0-9]{1,2}日)?|[-/.][0-9]{1,2}([-/.][0-9]{1,2})?)"
_CLOCK: Final = r"[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?"
_WHEN: Final = rf"{_DAY}( {_CLOCK})?"
_TIME: Final = rf"({_DAY} )?{_CLOCK}"
WECHAT: Final[Mapping[str, tuple[re.Pattern[str], str]]] = {
    kind: (re.compile(form), told)
    for kind, form, told in (
        ("thing", r"[^\x00-\x1f\x7f-\x9f]{1,20}", "at most 20 characters"),
        ("number", _NUMBER, "a number of at most 32 digits"),
        ("letter", r"[A-Za-z]{1,32}", "at most 32 letters"),
        ("symbol", r"[^\w\s]{1,5}", "at most 5 symbols"),
        ("character_string", r"[!-~]{1,32}", "at most 32 digits, letters or symbols"),
        ("time", rf"{_TIME}(~{_TIME})?", "a time such as 15:01, or 2026年10月1日 15:01, or two with ~ between them"),
        ("date", rf"{_WHEN}(~{_WHEN})?", "a date such as 2026年10月1日, or two with ~ between them"),
        ("amount", r"[^\w\s]?[0-9]{1,10}(\.[0-9]{1,2})?元?", "a currency's sign, at most 10 digits, and 元 if need be"),
        ("phone_number", r"[0-9+*#-]{1,17}", "at most 17 digits and symbols"),
        ("car_number", r"[\u4e00-\u9fff]?[0-9A-Z]{1,6}[0-9A-Z\u4e00-\u9fff]?", "a car's number, at most 8 characters"),
        ("name", r"[\u4e00-\u9fff·]{1,10}|[A-Za-z .'-]{1,20}", "at most 10 Chinese characters, or 20 letters"),
        ("phrase", r"[\u4e00-\u9fff]{1,5}", "at most 5 Chinese characters"),
    )
}
"""By the kind of a field, which its name begins with: what the platform accepts (errcode 47003 is anything else)."""
WECHAT_FIELD: Final = re.compile(r"([a-z_]+?)([0-9]{1,2})", re.ASCII)


class Length(Struct, frozen=True):
    """The most that a text can be: GSM-7 places, UTF-16 units, UTF-8 bytes. ``gsm`` is whether all of it can be sent as
    GSM-7; ``split`` whether there are signs in it that may not be cut in two between segments.
    """

    places: int = 0
    units: int = 0
    octets: int = 0
    gsm: bool = True
    split: bool = False

    @classmethod
    def of(cls, text: str) -> "Length":
        extended = sum(sign in _GSM_EXTENDED for sign in text)
        wide = sum(ord(sign) > 0xFFFF for sign in text)
        gsm = all(sign in _GSM or sign in _GSM_EXTENDED for sign in text)
        octets = len(text.encode("utf-8", "surrogatepass"))
        return cls(len(text) + extended, len(text) + wide, octets, gsm, bool(extended or wide))

    def plus(self, other: "Length") -> "Length":
        """One behind the other."""
        return Length(
            self.places + other.places,
            self.units + other.units,
            self.octets + other.octets,
            self.gsm and other.gsm,
            self.split or other.split,
        )

    def either(self, other: "Length") -> "Length":
        """One or the other."""
        return Length(
            max(self.places, other.places),
            max(self.units, other.units),
            max(self.octets, other.octets),
            self.gsm and other.gsm,
            self.split or other.split,
        )

    @property
    def segments(self) -> int:
        """How many messages an SMS of this length is sent and paid as, at most."""
        gsm = _segments(self.places, 160, 153, self.split)
        wide = _segments(self.units, 70, 67, self.split)
        # What can be wide need not be: with a value that is GSM-7 it may have more places than units.
        return gsm if self.gsm else max(wide, gsm)


def segments(text: str) -> int:
    """How many messages an SMS is sent and paid as."""
    if all(sign in _GSM or sign in _GSM_EXTENDED for sign in text):
        widths, single, part = [1 + (sign in _GSM_EXTENDED) for sign in text], 160, 153
    else:
        widths, single, part = [1 + (ord(sign) > 0xFFFF) for sign in text], 70, 67
    if sum(widths) <= single:
        return 1
    count, left = 1, part
    for width in widths:
        if width > left:
            count, left = count + 1, part
        left -= width
    return count


def _segments(length: int, single: int, part: int, split: bool) -> int:
    if length <= single:
        return 1
    return -(-length // (part - 1 if split else part))
