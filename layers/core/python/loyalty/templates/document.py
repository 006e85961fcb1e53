"""Templates as they are written: a section of a campaign's file, read and checked, with every mistake in its place.

::

    templates:
      hello:
        variables:
          gift: {type: points, most: 5000}
          until: date
        sms: {en: "{{ gift }} points for you until {{ until }}", zh: "送您{{ gift }}积分，{{ until }}前有效"}
        email:
          en: {subject: …, text: …, html: …}
          zh: {subject: …, text: …, html: …}
        wechat:
          template_id: …
          en: {number1: "{{ gift }}", date2: "{{ until }}"}
          zh: {number1: "{{ gift }}", date2: "{{ until }}"}

What holds of the longest values holds of all, so whatever passes here fits its channel for every member.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from loyalty.rules.reading import NAME, Reader
from loyalty.rules.yaml_text import Node
from loyalty.templates.language import OWN_LINK, Choice, Named, Piece, always, bare, can_be_empty, flat, length, parsed
from loyalty.templates.markup import CHOICE, VALUE, flaws
from loyalty.templates.measure import WECHAT, WECHAT_FIELD, Length
from loyalty.templates.template import FIELDS, LANGUAGES, TYPES, UNSUBSCRIBE, Template, Type, Variable
from loyalty.templates.values import DEFAULT_MOST
from loyalty.values import MAX_AMOUNT, MAX_POINTS

MAX_TEMPLATES: Final = 200
MAX_VARIABLES: Final = 20
MAX_TEXT: Final = 5_000
"""Characters of one text as it is written; of HTML ``MAX_HTML``."""
MAX_HTML: Final = 20_000
MAX_SEGMENTS: Final = 3
"""Messages that one SMS is paid as, where the template does not say."""
_MOST: Final[Mapping[Type, int]] = {
    "text": 500,
    "number": MAX_AMOUNT,
    "points": MAX_POINTS,
    "money": MAX_AMOUNT,
    "link": 2_000,
}
_REQUIRED: Final = {"email": ("subject", "text"), "push": ("title", "text"), "inbox": ("title", "text")}
_LIMITS: Final = {
    ("email", "subject"): 200,
    ("push", "title"): 60,
    ("push", "text"): 240,
    ("inbox", "title"): 100,
    ("inbox", "text"): 2_000,
    ("email", "text"): 20_000,
    ("email", "html"): 60_000,
}
"""UTF-16 units of what comes of a part, at most; a push message stays under the 4 KB of a notification."""
_WECOM_BYTES: Final = 2_048
_ONE_LINE: Final = frozenset({"subject", "title"})
_LINE_BREAK: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ue000\ue001\ufeff]")
_TEMPLATE_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_PAGE: Final = re.compile(r"[A-Za-z0-9_./?=&%-]{1,256}", re.ASCII)
_WECHAT_FIELDS: Final = 12


def read(reader: Reader, node: Node | None, currency: str) -> dict[str, Template]:
    """The templates of a section; what is wrong is noted with the reader. ``currency`` is the one of money."""
    found = {}
    for key, value in reader.named(node, "templates", most=MAX_TEMPLATES):
        found[key.value] = _Reading(reader, key, currency).template(value)
    return found


class _Reading:
    """Reads one template."""

    def __init__(self, reader: Reader, key: Node, currency: str) -> None:
        self._reader = reader
        self._key = key
        self._what = f"template {key.value}"
        self._currency = currency
        self._service = False
        self._variables: dict[str, Variable] = {}

    def template(self, node: Node) -> Template:
        reader = self._reader
        given = reader.fields(node, self._what, ("variables", "service", *FIELDS))
        self._service = reader.truth(given.get("service"), f"service of {self._what}")
        self._variables = self._declared(given.get("variables"))
        texts: dict[str, dict[str, dict[str, str]]] = {}
        setup: dict[str, dict[str, str]] = {}
        for channel in FIELDS:
            value = given.get(channel)
            if value is None:
                continue
            if channel == "webhook":
                reader.fields(value, f"webhook of {self._what}, which is given the variables,", ())
                texts[channel] = {language: {} for language in LANGUAGES}
                continue
            known = ("template_id", "page") if channel == "wechat" else ("segments",) if channel == "sms" else ()
            said = reader.fields(value, f"{channel} of {self._what}", (*LANGUAGES, *known))
            if channel == "wechat":
                setup[channel] = self._wechat(value, said)
            most = reader.integer(said.get("segments"), f"segments of {self._what}", 1, 10, MAX_SEGMENTS)
            texts[channel] = self._texts(channel, value, said, most)
        if not texts and node.kind == "mapping":
            reader.refuse(self._key, "TEMPLATE_CHANNEL_MISSING", f"{self._what} has no text for any channel")
        return Template(self._key.value, tuple(self._variables.values()), texts, setup, self._service)

    def _declared(self, node: Node | None) -> dict[str, Variable]:
        reader = self._reader
        found: dict[str, Variable] = {}
        for key, value in reader.named(node, f"variables of {self._what}", NAME, MAX_VARIABLES):
            name = key.value
            if name == UNSUBSCRIBE or name in ("true", "false", "none", "and", "or", "not", "if", "else", "in", "is"):
                reader.refuse(key, "RULE_NAME_TAKEN", f"{name} is a word of its own: choose another")
                continue
            given = {"type": value} if value.kind == "text" else reader.fields(value, name, ("type", "most"), ("type",))
            kind = reader.choice(given.get("type"), f"the type of {name}", TYPES, "text")
            top = _MOST.get(kind)
            most = DEFAULT_MOST[kind]
            if top is None and "most" in given:
                reader.refuse(given["most"], "RULE_VALUE_INVALID", f"a {kind} has no most")
            elif top is not None:
                low = 20 if kind == "link" else 1
                most = reader.integer(given.get("most"), f"most of {name}", low, top, most)
            found[name] = Variable(name, kind, most, self._currency if kind == "money" else "")
        return found

    def _wechat(self, node: Node, said: Mapping[str, Node]) -> dict[str, str]:
        reader = self._reader
        if "template_id" not in said:
            message = f"wechat of {self._what} needs template_id, as the platform has named the template"
            reader.refuse(node, "RULE_KEY_MISSING", message)
        forms = {
            "template_id": (_TEMPLATE_ID, "an id of letters, digits, _ and -"),
            "page": (_PAGE, "a page of the mini program, such as pages/points?from=gift"),
        }
        return {
            name: text
            for name, (form, told) in forms.items()
            if name in said and (text := reader.text(said[name], name, form, told))
        }

    def _texts(self, channel: str, node: Node, said: Mapping[str, Node], segments: int) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = {}
        for language in LANGUAGES:
            if language not in said:
                message = f"{channel} of {self._what} has no text in {'English' if language == 'en' else 'Chinese'}"
                self._reader.refuse(node, "TEMPLATE_LANGUAGE_MISSING", f"{message} ({language})")
                continue
            found[language] = self._parts(channel, language, said[language], segments)
        if channel == "wechat" and len({frozenset(parts) for parts in found.values()}) > 1:
            self._reader.refuse(
                node, "TEMPLATE_WECHAT_FIELD", "both languages fill the same fields of the platform's template"
            )
        return found

    def _parts(self, channel: str, language: str, node: Node, segments: int) -> dict[str, str]:
        reader, where = self._reader, f"{channel} of {self._what} in {language}"
        known = FIELDS[channel]
        if node.kind == "text" and "text" in known and channel not in _REQUIRED:
            given = {"text": node}
        elif channel == "wechat":
            given = self._fields(node, where)
        else:
            given = reader.fields(node, where, known, _REQUIRED.get(channel, known))
        parts: dict[str, str] = {}
        for name, value in given.items():
            pieces = self._pieces(value, name, where)
            if pieces is None:
                continue
            parts[name] = value.value
            if channel == "wechat":
                self._fits_field(value, name, pieces, language)
            else:
                self._fits(value, channel, name, pieces, language, segments)
            if (
                channel == "email"
                and name in ("text", "html")
                and not self._service
                and not always(pieces, UNSUBSCRIBE)
            ):
                message = f"{name} of an advertising e-mail has {{{{ unsubscribe }}}} in it in every case"
                reader.refuse(value, "TEMPLATE_UNSUBSCRIBE_MISSING", message)
            if name == "html":
                self._markup(value, pieces)
        return parts

    def _fields(self, node: Node, where: str) -> dict[str, Node]:
        found = {}
        for key, value in self._reader.named(node, f"fields of {where}", re.compile(r".{1,40}"), _WECHAT_FIELDS):
            match = WECHAT_FIELD.fullmatch(key.value)
            if match is None or match[1] not in WECHAT:
                message = f"{key.value!r} is no field of the platform's: {', '.join(WECHAT)}, each with a number"
                self._reader.unknown(key, "TEMPLATE_WECHAT_FIELD", message, [f"{kind}1" for kind in WECHAT])
            else:
                found[key.value] = value
        if node.kind == "mapping" and not node.entries:
            self._reader.refuse(node, "TEMPLATE_WECHAT_FIELD", f"{where} fills no field")
        return found

    def _pieces(self, node: Node, name: str, where: str) -> tuple[Piece, ...] | None:
        """A text's pieces; None where it is none."""
        reader, most = self._reader, MAX_HTML if name == "html" else MAX_TEXT
        if node.kind != "text" or not node.value.strip() or len(node.value) > most:
            reader.refuse(node, "RULE_VALUE_INVALID", f"{name} of {where} is a text of at most {most:,} characters")
            return None
        if (found := _CONTROL.search(node.value)) is not None:
            reader.refuse(node, "TEMPLATE_NOT_ALLOWED", "there is a sign in it that nobody sees", offset=found.start())
            return None
        known = {**self._variables, UNSUBSCRIBE: OWN_LINK}
        text = parsed(node.value, known)
        for flaw in text.flaws:
            near = reader.meant(flaw.name, known) if flaw.name else ""
            reader.refuse(node, flaw.code, flaw.message, near, flaw.offset)
        return None if text.flaws else text.pieces

    def _known(self) -> dict[str, Variable]:
        return {**self._variables, UNSUBSCRIBE: OWN_LINK}

    def _fits(self, node: Node, channel: str, name: str, pieces: Sequence[Piece], language: str, segments: int) -> None:
        reader = self._reader
        if name in _ONE_LINE and (found := _LINE_BREAK.search(node.value.strip())) is not None:
            reader.refuse(node, "TEMPLATE_NOT_ALLOWED", f"a {name} is one line", offset=found.start())
        longest = length(pieces, self._known(), language)
        if channel == "sms" and longest.segments > segments:
            reader.refuse(node, "TEMPLATE_TOO_LONG", _too_many(longest, segments))
        if channel == "wecom" and longest.octets > _WECOM_BYTES:
            message = f"it can be {longest.octets:,} bytes long, and WeCom takes {_WECOM_BYTES:,}"
            reader.refuse(node, "TEMPLATE_TOO_LONG", message)
        most = _LIMITS.get((channel, name))
        if most is not None and longest.units > most:
            message = f"{name} can be {longest.units:,} characters long, and {most:,} fit"
            reader.refuse(node, "TEMPLATE_TOO_LONG", message)

    def _fits_field(self, node: Node, name: str, pieces: Sequence[Piece], language: str) -> None:
        kind = WECHAT_FIELD.fullmatch(name)
        assert kind is not None  # noqa: S101 - it was read as one
        form, told = WECHAT[kind[1]]
        if can_be_empty(pieces, self._known()):
            message = f"{name} can be empty, which the platform refuses: let it say something else then"
            self._reader.refuse(node, "TEMPLATE_WECHAT_FIELD", message)
            return
        if kind[1] == "thing":
            longest = length(pieces, self._known(), language)
            if longest.units > 20 or "\n" in node.value:
                message = f"{name} can be {longest.units} characters long, and holds 20 in one line"
                self._reader.refuse(node, "TEMPLATE_TOO_LONG", message)
            return
        cases = flat(pieces, self._known(), language, bare=bare(name))
        if cases is None or not all(form.fullmatch(text) for text in cases):
            self._reader.refuse(node, "TEMPLATE_WECHAT_FIELD", f"{name} is {told}, in every case")

    def _markup(self, node: Node, pieces: Sequence[Piece]) -> None:
        """The HTML outside of cases, and each case by itself."""
        links: set[int] = set()
        numbers: list[str] = []

        def written(some: Sequence[Piece]) -> str:
            text = ""
            for piece in some:
                if isinstance(piece, Named):
                    if self._known()[piece.name].type == "link":
                        links.add(len(numbers))
                    text += f"{VALUE}{len(numbers)}{VALUE}"
                    numbers.append(piece.name)
                elif isinstance(piece, Choice):
                    for case in piece.cases:
                        self._tell(node, written(case), links)
                    text += CHOICE
                else:
                    text += piece
            return text

        self._tell(node, written(pieces), links)

    def _tell(self, node: Node, text: str, links: set[int]) -> None:
        for flaw in flaws(text, frozenset(links)):
            start = text.rfind(">", 0, flaw.offset) + 1
            literal = re.split(f"[{VALUE}{CHOICE}]", text[flaw.offset :])[0][:40] or text[start : flaw.offset][:40]
            at = node.value.find(literal) if literal else -1
            self._reader.refuse(node, "TEMPLATE_MARKUP", flaw.message, offset=max(at, 0))


def _too_many(longest: Length, segments: int) -> str:
    figures = (
        f"{longest.places} GSM-7 places"
        if longest.gsm
        else f"{longest.units} characters in UCS-2 (70, then 67 a message)"
    )
    return f"it can be {longest.segments} messages long ({figures}), and {segments} are allowed"
