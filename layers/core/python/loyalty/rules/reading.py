"""Reading a rule set's YAML as what it should be. Whatever is wrong is noted where it stands, and reading goes on."""

import re
from collections.abc import Collection, Iterable, Sequence
from datetime import date
from difflib import get_close_matches
from itertools import islice
from typing import Final, TypeVar

from loyalty.rules.ruleset import Names
from loyalty.rules.yaml_text import Document, Issue, Node
from loyalty.zones import zones

MAX_ISSUES: Final = 100
"""So many are told at once."""
MAX_NAMED: Final = 1000
"""Groups, campaigns, named days, types of event: so many of each."""
MAX_SUGGESTIONS: Final = 500
MAX_NEIGHBOURS: Final = 1000
"""How long likely names are looked for: likeness is costly."""
IDENTIFIER: Final = re.compile(r"[a-z][a-z0-9_-]{0,31}", re.ASCII)
NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII)
FIRST_DAY: Final = date(1970, 1, 1).toordinal()
LAST_DAY: Final = date(2199, 12, 31).toordinal()
_LINE: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f]{1,80}")
_DECIMAL: Final = re.compile(r"([0-9]{1,13})(?:\.([0-9]{1,6}))?", re.ASCII)
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_Choice = TypeVar("_Choice", bound=str)


class Reader:
    """Reads nodes of one document and gathers what is wrong with them."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.issues: list[Issue] = list(document.issues)
        self.days = 0
        """Days that recurrences have been worked out to."""
        self.looked = 0
        """About how many days conditions have been held against."""

    @property
    def hopeless(self) -> bool:
        """So much is wrong that reading on would tell nobody more."""
        return len(self.issues) > MAX_SUGGESTIONS

    def refuse(self, node: Node, code: str, message: str, suggestion: str = "", offset: int | None = None) -> None:
        """Note an issue at a node, or at the character ``offset`` of its text."""
        at = node.at if offset is None else self.document.within(node, offset)
        self.issues.append(Issue(self.document.file, at.line, at.column, code, message, suggestion))

    def meant(self, name: str, names: Iterable[str]) -> str:
        """The one of ``names`` that is most like ``name``; "" when none is, and where too much is wrong to look."""
        if self.hopeless:
            return ""
        return next(iter(get_close_matches(name[:64], [*islice(names, MAX_NEIGHBOURS)], n=1)), "")

    def unknown(self, node: Node, code: str, message: str, names: Iterable[str]) -> None:
        """Note a name that nothing has, with the nearest one that something has."""
        self.refuse(node, code, message, self.meant(node.value, names))

    def found(self) -> tuple[Issue, ...]:
        """What is wrong, in the order of the file."""
        return tuple(sorted(set(self.issues), key=lambda one: (one.line, one.column, one.code))[:MAX_ISSUES])

    def fields(
        self, node: Node | None, what: str, known: Collection[str], required: Sequence[str] = ()
    ) -> dict[str, Node]:
        """The values of a mapping with these keys."""
        if node is None:
            return {}
        if node.kind != "mapping":
            self.refuse(node, "RULE_VALUE_INVALID", f"{what} has {', '.join(known)}, each as key: value")
            return {}
        given: dict[str, Node] = {}
        for key, value in node.entries:
            if key.value not in known:
                hint = ": put a text with a comma in quotes" if value.empty else ""
                self.refuse(key, "RULE_KEY_UNKNOWN", f"{what} has no {key.value!r}{hint}", self.meant(key.value, known))
            elif value.empty:
                self.refuse(key, "RULE_VALUE_INVALID", f"{key.value} has no value: write one, or leave it out")
            else:
                given[key.value] = value
        there = {key.value for key, _ in node.entries}
        for name in required:
            if name not in there:
                self.refuse(node, "RULE_KEY_MISSING", f"{what} needs {name}")
        return given

    def named(
        self, node: Node | None, what: str, form: re.Pattern[str] = IDENTIFIER, most: int = MAX_NAMED
    ) -> list[tuple[Node, Node]]:
        """The entries of a mapping whose keys are names."""
        if node is None:
            return []
        if node.kind != "mapping":
            self.refuse(node, "RULE_VALUE_INVALID", f"{what} are written as name: …")
            return []
        if len(node.entries) > most:
            self.refuse(node, "RULE_VALUE_INVALID", f"there are at most {most:,} {what}")
            return []
        for key, _ in node.entries:
            if not form.fullmatch(key.value):
                self.refuse(key, "RULE_VALUE_INVALID", f"{key.value!r} is no name: {_form(form)}")
        return [(key, value) for key, value in node.entries if form.fullmatch(key.value)]

    def items(self, node: Node | None, what: str, most: int) -> list[Node]:
        """The items of a list."""
        if node is None:
            return []
        if node.kind != "list":
            self.refuse(node, "RULE_VALUE_INVALID", f"{what} is a list")
            return []
        if len(node.items) > most:
            self.refuse(node, "RULE_VALUE_INVALID", f"{what} has at most {most:,} items")
        return node.items[:most]

    def text(self, node: Node | None, what: str, form: re.Pattern[str] = _LINE, expected: str = "") -> str:
        """A text of a form; "" when it is none."""
        if node is None:
            return ""
        if node.kind != "text" or not form.fullmatch(node.value):
            self.refuse(node, "RULE_VALUE_INVALID", f"{what} is {expected or _form(form)}")
            return ""
        return node.value

    def choice(self, node: Node | None, what: str, names: Sequence[_Choice], default: _Choice) -> _Choice:
        """One of some words."""
        if node is None:
            return default
        for name in names:
            if node.value == name:
                return name
        self.refuse(node, "RULE_VALUE_INVALID", f"{what} is one of {', '.join(names)}", self.meant(node.value, names))
        return default

    def integer(self, node: Node | None, what: str, low: int, high: int, default: int = 0) -> int:
        """A whole number within bounds, written without quotes."""
        if node is None:
            return default
        if node.plain and re.fullmatch(r"-?[0-9]{1,15}", node.value, re.ASCII) and low <= int(node.value) <= high:
            return int(node.value)
        self.refuse(node, "RULE_VALUE_INVALID", f"{what} is a whole number from {low:,} to {high:,}")
        return default

    def decimal(self, node: Node | None, what: str, places: int = 6) -> tuple[int, int] | None:
        """A number that is not below zero, exact: (units of the last place, how many of them make one)."""
        if node is None:
            return None
        match = _DECIMAL.fullmatch(node.value) if node.kind == "text" else None
        digits = (match[2] or "") if match else ""
        if match is None or len(digits) > places:
            limit = (
                f"number with at most {places} decimal places, such as 12.50" if places else "whole number, such as 12"
            )
            self.refuse(node, "RULE_VALUE_INVALID", f"{what} is a {limit}")
            return None
        return int(match[1] + digits.ljust(places, "0")), int(10**places)

    def truth(self, node: Node | None, what: str) -> bool:
        """true or false; false when it is left out."""
        return self.choice(node, what, ("true", "false"), "false") == "true"

    def timezone(self, node: Node | None) -> str:
        """The IANA name of a time zone; "" when it is left out."""
        zone = self.text(node, "timezone")
        if node is not None and zone and zone not in zones():
            message = "timezone is one of the IANA database, such as Europe/Berlin"
            self.refuse(node, "RULE_VALUE_INVALID", message, self.meant(zone, zones()))
            return ""
        return zone

    def day(self, node: Node | None, what: str) -> int | None:
        """A date, as its ordinal."""
        if node is None:
            return None
        try:
            day = date.fromisoformat(node.value if _DAY.fullmatch(node.value) else "").toordinal()
        except ValueError:
            day = 0
        if FIRST_DAY <= day <= LAST_DAY:
            return day
        self.refuse(node, "RULE_VALUE_INVALID", f"{what} is a date between 1970 and 2199, such as 2026-11-11")
        return None

    def names(self, node: Node | None, owner: Node, what: str) -> Names:
        """A name in each language; ``owner`` is what should have it."""
        if node is None:
            self.refuse(owner, "RULE_NAME_MISSING", f"{what} needs a name: {{en: …, zh: …}}")
            return Names("", "")
        if node.kind != "mapping":
            self.refuse(node, "RULE_NAME_MISSING", f"the name of {what} is {{en: …, zh: …}}, in both languages")
            return Names("", "")
        given = self.fields(node, f"the name of {what}", ("en", "zh"))
        for language, called in (("en", "English"), ("zh", "Chinese")):
            if language not in given:
                self.refuse(node, "RULE_NAME_MISSING", f"{what} has no name in {called} ({language})")
        return Names(*(self.text(given.get(language), f"the name of {what}") for language in ("en", "zh")))


def _form(form: re.Pattern[str]) -> str:
    if form is _LINE:
        return "one line of at most 80 characters"
    signs = "a-z, 0-9, _ and -" if form is IDENTIFIER else "a-z, 0-9 and _"
    return f"1 to 32 of {signs}, beginning with a letter"
