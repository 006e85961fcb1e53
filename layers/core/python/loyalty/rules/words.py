"""The words of an expression and how they may follow each other: what stands between the text and the parser.

The words are cut by sqlglot, then read again here: only what the language knows gets through. Its parser is handed
names and literals as placeholders (``w3`` is word 3), so nothing that SQL knows and this language does not can come out
of it, and every leaf of its tree says where it was written.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Final, NamedTuple
from unicodedata import category

from msgspec import Struct
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType
from sqlglot.tokens import Tokenizer

MAX_TEXT: Final = 2000
"""Characters of one expression."""
MAX_NESTING: Final = 32
"""Brackets, CASEs and prefixes (NOT, minus) around one word."""

KEYWORDS: Final = {
    "AND": TokenType.AND,
    "OR": TokenType.OR,
    "NOT": TokenType.NOT,
    "IN": TokenType.IN,
    "BETWEEN": TokenType.BETWEEN,
    "LIKE": TokenType.LIKE,
    "IS": TokenType.IS,
    "NULL": TokenType.NULL,
    "TRUE": TokenType.VAR,
    "FALSE": TokenType.VAR,
    "CASE": TokenType.CASE,
    "WHEN": TokenType.WHEN,
    "THEN": TokenType.THEN,
    "ELSE": TokenType.ELSE,
    "END": TokenType.END,
    "FILTER": TokenType.FILTER,
    "WHERE": TokenType.WHERE,
}
_SIGNS: Final = {
    "(": TokenType.L_PAREN,
    ")": TokenType.R_PAREN,
    ",": TokenType.COMMA,
    "+": TokenType.PLUS,
    "-": TokenType.DASH,
    "*": TokenType.STAR,
    "/": TokenType.SLASH,
    "=": TokenType.EQ,
    "<>": TokenType.NEQ,
    "!=": TokenType.NEQ,
    "<": TokenType.LT,
    "<=": TokenType.LTE,
    ">": TokenType.GT,
    ">=": TokenType.GTE,
}
_INSTEAD: Final = {
    "==": "=",
    "&&": "AND",
    "||": "OR",
    "!": "NOT",
    ";": "",
    "<=>": "=",
    "[": "(",
    "]": ")",
    "{": "(",
    "}": ")",
}
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]+(?:\.[0-9]+)?", re.ASCII)
_TEXT: Final = re.compile(r"'(?:[^']|'')*'")
_BLANK: Final = re.compile(r"[ \t\r\n]*")
_TURNING: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that turn the direction of writing, so that a text reads other than it is."""
_INFIX: Final = frozenset({"=", "<>", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "AND", "OR", "LIKE"})
_QUERY: Final = frozenset({"SELECT", "FROM", "ORDER", "GROUP", "WITH", "UNION", "JOIN", "OVER", "DISTINCT"})
_NO_QUERY: Final = "An expression is no query: it only speaks of the purchase or event at hand"
_LEAVES: Final = frozenset({"name", "number", "text", "NULL", "TRUE", "FALSE"})


class Mistake(Struct, frozen=True):
    """What is wrong with an expression, and where: ``offset`` and ``length`` in characters of its text, ``line`` and
    ``column`` in it, from 1. ``suggestion`` is what was probably meant in that place, "" where nobody can tell.
    """

    code: str
    offset: int
    length: int
    line: int
    column: int
    message: str
    suggestion: str = ""


class Rejected(Exception):
    """An expression that is not one: ``issues`` says why, in the order of the text, at least one."""

    def __init__(self, issues: Sequence[Mistake]) -> None:
        self.issues = tuple(sorted(issues, key=lambda issue: (issue.offset, issue.message)))
        super().__init__("; ".join(f"{issue.line}:{issue.column}: {issue.message}" for issue in self.issues))


def mistake(text: str, code: str, start: int, end: int, message: str, suggestion: str = "") -> Mistake:
    """A mistake in ``text[start:end]``."""
    line = text.count("\n", 0, start) + 1
    column = start - (text.rfind("\n", 0, start) + 1) + 1
    return Mistake(code, start, max(end - start, 0), line, column, _seen(message), _seen(suggestion))


def nearest(name: str, names: Sequence[str], cutoff: float = 0.6) -> str:
    """The one of ``names`` that ``name`` was probably meant to be; "" when none is near."""
    folded = {other.lower(): other for other in reversed(names)}
    tails = [other for other in names if other.rpartition(".")[2] == name.lower()]
    if name.lower() in folded:
        return folded[name.lower()]
    if tails:
        return tails[0]
    close = get_close_matches(name.lower()[:64], list(folded), n=1, cutoff=cutoff)
    return folded[close[0]] if close else ""


class Word(NamedTuple):
    """``kind`` is ``name``, ``number``, ``text``, a keyword in capitals, or the sign itself. ``value`` is a text's
    content, and whatever was written of all others.
    """

    kind: str
    value: str
    start: int
    end: int


def words(text: str) -> list[Word]:
    """Cut an expression into its words and make sure that they follow each other as they may; Rejected otherwise."""
    if len(text) > MAX_TEXT:
        raise Rejected(
            [mistake(text, "RULE_TOO_LARGE", MAX_TEXT, len(text), f"An expression has at most {MAX_TEXT:,} characters")]
        )
    cut = _join(_cut(text))
    _Grammar(text, cut).check()
    return cut


def tokens(cut: Sequence[Word]) -> list[Token]:
    """What sqlglot's parser is given for these words: leaves as placeholders with their places."""
    given = []
    for place, word in enumerate(cut):
        kind, text = KEYWORDS.get(word.kind) or _SIGNS.get(word.kind), f"w{place}"
        if word.kind == "number":
            kind = TokenType.NUMBER
        elif word.kind == "text":
            kind = TokenType.STRING
        elif word.kind in _LEAVES and not (word.kind == "NULL" and _after_is(cut, place)):
            kind = TokenType.VAR
        else:
            text = word.kind
        given.append(Token(kind or TokenType.VAR, text, 1, word.end, word.start, max(word.end - 1, word.start)))
    return given


def _after_is(cut: Sequence[Word], place: int) -> bool:
    before = [word.kind for word in cut[max(0, place - 2) : place]]
    return before[-1:] == ["IS"] or before == ["IS", "NOT"]


def _cut(text: str) -> list[Word]:
    try:
        found = Tokenizer().tokenize(text)
    except (SqlglotError, RecursionError, ValueError, IndexError):
        found = []
    cut, at = [], 0
    for token in found:
        _nothing_between(text, at, token.start)
        at = token.end + 1
        cut.append(_word(text, token.start, at))
    _nothing_between(text, at, len(text))
    return cut


def _nothing_between(text: str, start: int, end: int) -> None:
    blank = _BLANK.match(text, start, end)
    at = blank.end() if blank else start
    if at >= end:
        return
    rest = text[at:end]
    if rest.startswith(("--", "/*", "{#", "#")):
        raise _wrong(text, at, end, "An expression has no comments")
    if rest.startswith(("'", '"')):
        raise _wrong(text, at, end, f"The text that begins here is not closed: it ends with {rest[0]}")
    for quote in ("'", '"'):
        if rest.count(quote) % 2:
            last = at + rest.rfind(quote)
            raise _wrong(text, last, last + 1, f"A text in here is not closed: it ends with {quote}")
    raise _wrong(text, at, at + 1, f"{_shown(rest[0])} means nothing here")


def _word(text: str, start: int, end: int) -> Word:
    written = text[start:end]
    if written in _SIGNS or written == ".":
        return Word(written, written, start, end)
    if _NAME.fullmatch(written):
        keyword = written.upper()
        return Word(keyword if keyword in KEYWORDS else "name", written, start, end)
    if _NUMBER.fullmatch(written):
        return Word("number", written, start, end)
    if _TEXT.fullmatch(written):
        for place, letter in enumerate(written, start):
            if category(letter) in ("Cc", "Cs") or letter in _TURNING:
                raise _wrong(text, place, place + 1, f"A text cannot hold {ascii(letter)[1:-1]}, which nobody sees")
        return Word("text", written[1:-1].replace("''", "'"), start, end)
    raise _unknown(text, start, end)


def _unknown(text: str, start: int, end: int) -> Rejected:
    written = text[start:end]
    if written.startswith('"'):
        inner = written.strip('"').replace("'", "''")
        return _wrong(text, start, end, "Texts stand in single quotes", f"'{inner}'")
    if written[:1].isdigit():
        return _wrong(text, start, end, f"{_shown(written)} is not a number: write it like 12 or 0.5")
    if written in _INSTEAD:
        meant = _INSTEAD[written]
        return _wrong(text, start, end, f"{written} means nothing here" + (f"; write {meant}" if meant else ""), meant)
    first = re.match(r"[A-Za-z]+", written)
    if first and first[0].upper() in _QUERY:
        return _wrong(text, start, end, _NO_QUERY)
    return _wrong(text, start, end, f"{_shown(written)} means nothing here")


def _shown(written: str) -> str:
    """Short enough for a message."""
    return written if len(written) <= 40 else written[:39] + "…"


def _seen(message: str) -> str:
    """With escapes for what cannot be seen."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in message)


def _wrong(text: str, start: int, end: int, message: str, suggestion: str = "") -> Rejected:
    return Rejected([mistake(text, "RULE_SYNTAX", start, end, message, suggestion)])


def _join(cut: list[Word]) -> list[Word]:
    """Names with dots become one word: whatever follows a dot is a name, even if it is a keyword elsewhere."""
    joined: list[Word] = []
    for word in cut:
        last = joined[-1] if joined else None
        if last and last.kind == "dotted":
            joined[-1] = Word(
                "name" if _NAME.fullmatch(word.value) else "dotted", last.value + word.value, *_span(last, word)
            )
        elif last and word.kind == "." and _NAME.match(last.value) and last.kind != "text":
            joined[-1] = Word("dotted", last.value + ".", *_span(last, word))
        else:
            joined.append(word)
    return [Word("." if word.kind == "dotted" else word.kind, *word[1:]) for word in joined]


def _span(first: Word, last: Word) -> tuple[int, int]:
    return first.start, last.end


class _Grammar:
    """Reads the words once, knowing only whether a value or an operator comes next, and what is open. The parser then
    finds nothing to complain of, and is never led deeper than ``MAX_NESTING``.
    """

    def __init__(self, text: str, cut: Sequence[Word]) -> None:
        self.text = text
        self.cut = cut
        self.open: list[tuple[Word, int]] = []
        """Brackets and CASEs not closed yet, with the prefixes that stood before each."""
        self.prefixes = 0
        self.depth = 0
        self.after: Mapping[str, Callable[[int], tuple[int, bool]]] = {
            "NOT": self._negated,
            "IN": self._in,
            "BETWEEN": self._between,
            "IS": self._is,
            ")": self._closed,
            "END": self._closed,
            ",": self._comma,
            "WHEN": self._branch,
            "THEN": self._branch,
            "ELSE": self._branch,
            "FILTER": self._filter,
        }

    def check(self) -> None:
        if not self.cut:
            raise _wrong(self.text, 0, len(self.text), "There is nothing here; write a condition or an earning")
        at, value = 0, True
        while at < len(self.cut):
            at, value = self._value(at) if value else self._operator(at)
        last = self.cut[-1]
        if value:
            raise _wrong(self.text, last.start, last.end, f"Something is missing after {_shown(last.value)}")
        if self.open:
            word = self.open[-1][0]
            closing = "END" if word.kind == "CASE" else ")"
            raise _wrong(self.text, word.start, word.end, f"{word.value} is not closed: {closing} is missing", closing)

    def _value(self, at: int) -> tuple[int, bool]:
        """Read where a value is expected; the next word, and whether a value is expected there."""
        word = self.cut[at]
        if word.kind in ("NOT", "-"):
            self.prefixes += 1
            self._bound(word)
            return at + 1, True
        if word.kind in ("(", "CASE"):
            return self._opened(at)
        if word.kind in _LEAVES:
            return self._leaf(at)
        before = self.cut[at - 1] if at else None
        if before is None:
            raise _wrong(self.text, word.start, word.end, f"Something is missing before {_shown(word.value)}")
        raise _wrong(
            self.text,
            word.start,
            word.end,
            f"Something is missing between {_shown(before.value)} and {_shown(word.value)}",
        )

    def _opened(self, at: int) -> tuple[int, bool]:
        word = self.cut[at]
        self.open.append((word, self.prefixes))
        self.depth += 1 + self.prefixes
        self.prefixes = 0
        self._bound(word)
        return at + (2 if word.kind == "CASE" and self._kind(at + 1) == "WHEN" else 1), True

    def _leaf(self, at: int) -> tuple[int, bool]:
        self.prefixes = 0
        word = self.cut[at]
        if word.kind == "name" and self._kind(at + 1) == "(":
            inside = self._kind(at + 2)
            if inside == ")":
                return at + 3, False
            if inside == "*" and self._kind(at + 3) == ")":
                return at + 4, False
            return self._opened(at + 1)
        return at + 1, False

    def _operator(self, at: int) -> tuple[int, bool]:
        """Read where an operator is expected, or what closes something."""
        word = self.cut[at]
        if word.kind in _INFIX:
            return at + 1, True
        read = self.after.get(word.kind)
        if read is not None:
            return read(at)
        raise self._two_values(at)

    def _two_values(self, at: int) -> Rejected:
        before, word = self.cut[at - 1], self.cut[at]
        if word.kind == "(":
            message = f"A bracket cannot follow {_shown(before.value)}: an operator like AND is missing"
            return _wrong(self.text, word.start, word.end, message)
        for odd in (word, before):
            if odd.value.upper() in _QUERY:
                return _wrong(self.text, odd.start, odd.end, _NO_QUERY)
            meant = nearest(odd.value, sorted(KEYWORDS), 0.65) if odd.kind == "name" and "." not in odd.value else ""
            if meant:
                return _wrong(self.text, odd.start, odd.end, f"{_shown(odd.value)} cannot stand here", meant)
        between = f"between {_shown(before.value)} and {_shown(word.value)}"
        message = f"Something is missing {between}: AND, OR, a comma or another operator"
        return _wrong(self.text, word.start, word.end, message)

    def _negated(self, at: int) -> tuple[int, bool]:
        if self._kind(at + 1) not in ("IN", "LIKE", "BETWEEN"):
            raise self._expected(at, "IN, LIKE or BETWEEN", "NOT")
        return at + 1, False

    def _in(self, at: int) -> tuple[int, bool]:
        if self._kind(at + 1) == "name":
            return at + 1, True
        if self._kind(at + 1) != "(" or self._kind(at + 2) == ")":
            raise self._expected(at, "a list of values in brackets, like ('a', 'b')", "IN")
        return self._opened(at + 1)

    def _between(self, at: int) -> tuple[int, bool]:
        return at + 1, True

    def _is(self, at: int) -> tuple[int, bool]:
        end = at + (2 if self._kind(at + 1) == "NOT" else 1)
        if self._kind(end) != "NULL":
            raise self._expected(at, "NULL or NOT NULL (a condition stands alone: event.photo, NOT event.photo)", "IS")
        return end + 1, False

    def _closed(self, at: int) -> tuple[int, bool]:
        word = self.cut[at]
        opened = "CASE" if word.kind == "END" else "("
        if not self.open or self.open[-1][0].kind != opened:
            raise _wrong(self.text, word.start, word.end, f"{word.value} closes nothing")
        self.depth -= 1 + self.open.pop()[1]
        return at + 1, False

    def _comma(self, at: int) -> tuple[int, bool]:
        word = self.cut[at]
        if not self.open or self.open[-1][0].kind != "(":
            raise _wrong(self.text, word.start, word.end, "A comma stands within brackets only")
        return at + 1, True

    def _branch(self, at: int) -> tuple[int, bool]:
        word = self.cut[at]
        if not self.open or self.open[-1][0].kind != "CASE":
            raise _wrong(self.text, word.start, word.end, f"{word.value} belongs into CASE WHEN … THEN … ELSE … END")
        return at + 1, True

    def _filter(self, at: int) -> tuple[int, bool]:
        if self._kind(at - 1) != ")" or self._kind(at + 1) != "(" or self._kind(at + 2) != "WHERE":
            raise self._expected(at, "(WHERE …), and stands behind SUM(…), COUNT(…), MIN(…) or MAX(…)", "FILTER")
        at, _ = self._opened(at + 1)
        return at + 1, True

    def _kind(self, at: int) -> str:
        return self.cut[at].kind if at < len(self.cut) else ""

    def _expected(self, at: int, what: str, word: str) -> Rejected:
        odd = self.cut[at]
        return _wrong(self.text, odd.start, odd.end, f"{word} is followed by {what}")

    def _bound(self, word: Word) -> None:
        if self.depth + self.prefixes > MAX_NESTING:
            message = (
                f"Nested too deeply: at most {MAX_NESTING} brackets, CASEs, NOTs and minus signs within each other"
            )
            raise Rejected([mistake(self.text, "RULE_TOO_LARGE", word.start, word.end, message)])
