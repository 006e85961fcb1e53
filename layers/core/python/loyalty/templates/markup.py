"""The HTML that an e-mail's template may consist of: a closed list of tags and attributes, written out plainly, so that
it is known where a value stands. Pure.

Whatever a template's author writes and whatever a variable holds, no script runs, nothing is loaded but pictures over
https, and no value ends an attribute or a tag.
"""

import re
from typing import Final, NamedTuple

VALUE: Final = "\ue000"
"""Stands for a variable in the text that is looked at; ``VALUE{number}VALUE``."""
CHOICE: Final = "\ue001"
"""Stands for what is there in some cases only, and is looked at by itself."""
TAGS: Final[dict[str, tuple[str, ...]]] = {
    "a": ("href", "title"),
    "b": (), "blockquote": (), "br": (), "div": (), "em": (), "h1": (), "h2": (), "h3": (), "hr": (), "i": (),
    "img": ("src", "alt", "width", "height"),
    "li": (), "ol": (), "p": (), "small": (), "span": (), "strong": (), "table": (), "tbody": (),
    "td": ("align", "valign", "width"),
    "th": ("align", "valign", "width"),
    "thead": (), "tr": (), "u": (), "ul": (),
}  # fmt: skip
EMPTY: Final = frozenset({"br", "hr", "img"})
MAX_OPEN: Final = 50
_TAG: Final = re.compile(r"<(/?)([a-z][a-z0-9]*)((?:\s+[a-z]+=\"[^\"<>]*\")*)\s*(/?)>", re.ASCII)
_ATTRIBUTE: Final = re.compile(r"([a-z]+)=\"([^\"<>]*)\"", re.ASCII)
_STYLE: Final = re.compile(r"(?:(?:color|background-color|font-size|font-weight|font-style|font-family|line-height"
                           r"|text-align|text-decoration|margin|padding|border|width|max-width|height)"
                           r"\s*:\s*[#%., a-zA-Z0-9-]+;?\s*)*", re.ASCII)  # fmt: skip
_ADDRESS: Final = re.compile(r"https://[A-Za-z0-9.-]+(?:[/?#][!#-;=?-\[\]_a-z~]*)?", re.ASCII)
_WRITE: Final = re.compile(r"(mailto|tel):[A-Za-z0-9@.+_-]+", re.ASCII)


class Flaw(NamedTuple):
    """Something wrong at a character of the text looked at."""

    offset: int
    message: str


def flaws(text: str, links: frozenset[int]) -> list[Flaw]:
    """What is wrong with a piece of HTML. ``links`` are the numbers of those values that are links."""
    found: list[Flaw] = []
    open_: list[str] = []
    behind = 0
    for tag in _TAG.finditer(text):
        found += _bare(text, behind, tag.start())
        behind = tag.end()
        closes, name, attributes, _ = tag.groups()
        if name not in TAGS:
            found.append(Flaw(tag.start(), f"an e-mail has no <{name}>; there are {', '.join(TAGS)}"))
        elif closes:
            if attributes or not open_ or open_[-1] != name:
                found.append(Flaw(tag.start(), f"</{name}> closes nothing that is open here"))
            else:
                open_.pop()
        else:
            found += _attributes(tag, name, links)
            if name not in EMPTY:
                open_.append(name)
            if len(open_) > MAX_OPEN:
                return [*found, Flaw(tag.start(), f"there are more than {MAX_OPEN} tags in one another")]
    found += _bare(text, behind, len(text))
    if open_:
        found.append(Flaw(len(text), f"<{open_[-1]}> is not closed"))
    return found


def _bare(text: str, start: int, end: int) -> list[Flaw]:
    """Between tags, angle brackets are written &lt; and &gt;."""
    places = [at for sign in "<>" if (at := text.find(sign, start, end)) >= 0]
    message = "this is no tag as an e-mail may have it: attributes stand in double quotes, and < is written &lt;"
    return [Flaw(min(places), message)] if places else []


def _attributes(tag: re.Match[str], name: str, links: frozenset[int]) -> list[Flaw]:
    found = []
    for attribute in _ATTRIBUTE.finditer(tag[3]):
        key, value = attribute.groups()
        at = tag.start(3) + attribute.start()
        if CHOICE in value:
            found.append(Flaw(at, "there is no {% if %} within a tag: write the tag in both cases"))
        elif key in ("href", "src"):
            if key not in TAGS[name]:
                found.append(Flaw(at, f"<{name}> has no {key}"))
            elif not _leads(value, key, links):
                found.append(Flaw(at, f"{key} is one variable of type link, or an https address without variables"))
        elif key == "style":
            if not _STYLE.fullmatch(value):
                found.append(Flaw(at, "style is made of colours, sizes and margins, without variables and url()"))
        elif key not in TAGS[name]:
            found.append(Flaw(at, f"<{name}> has no {key}"))
        elif VALUE in value and key not in ("alt", "title"):
            found.append(Flaw(at, f"no variable can stand in {key}"))
    return found


def _leads(value: str, key: str, links: frozenset[int]) -> bool:
    if VALUE in value:
        number = value[1:-1]
        return value == f"{VALUE}{number}{VALUE}" and number.isdecimal() and int(number) in links
    return bool(_ADDRESS.fullmatch(value) or (key == "href" and _WRITE.fullmatch(value)))
