"""Phone numbers in their one form. Pure."""

import re
from typing import Final

_FORM: Final = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
_TRUNK: Final = re.compile(r"((?:\+|00)[1-9][0-9 ]{0,4})\(0\)", re.ASCII)
"""The zero of calls within the country, which many write behind its code though nobody abroad may dial it."""
_PUNCTUATION: Final = re.compile(r"[ ()./\[\]-]", re.ASCII)


def international(text: str) -> str:
    """The number as it is dialled from anywhere, such as +4915112345678; "" where that is not known."""
    number = _PUNCTUATION.sub("", _TRUNK.sub(r"\1", text))
    number = f"+{number[2:]}" if number.startswith("00") else number
    return number if _FORM.fullmatch(number) else ""
