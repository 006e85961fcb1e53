"""The language of templates: Jinja2 in its sandbox, and of its syntax only variables, ``if`` and comparisons. Pure.

Nothing is called, looked up or repeated, so a text is at most as long as what is written in it, and takes no longer.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final

from jinja2 import StrictUndefined, TemplateError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment
from msgspec import Struct

from loyalty.templates.measure import WECHAT_FIELD, Length
from loyalty.templates.template import UNSUBSCRIBE, Variable
from loyalty.templates.values import DEFAULT_MOST, longest

MAX_DEPTH: Final = 10
"""Cases within cases, and conditions within conditions."""
MAX_PIECES: Final = 300
MAX_FLAT: Final = 32
OWN_LINK: Final = Variable(UNSUBSCRIBE, "link", DEFAULT_MOST["link"])
ALLOWED: Final = "a template has {{ variables }} and {% if … %} … {% else %} … {% endif %}, and nothing else"
_BARE_KINDS: Final = frozenset({"number", "amount", "date", "time", "character_string", "letter", "phone_number"})
_ORDERED: Final = frozenset({"number", "points", "money"})


class Flaw(Struct, frozen=True):
    """Something wrong at a character of a template's text; ``name`` is the variable that is not declared."""

    offset: int
    code: str
    message: str
    name: str = ""


class Choice(Struct, frozen=True):
    """What stands there in one case or another; ``said`` are the variables that are not empty in each."""

    cases: "tuple[tuple[Piece, ...], ...]"
    said: tuple[frozenset[str], ...]


class Named(Struct, frozen=True):
    """Where a variable's value stands."""

    name: str


Piece = str | Named | Choice


class Parsed(Struct, frozen=True):
    """A text's pieces, or what is wrong with it."""

    pieces: tuple[Piece, ...]
    flaws: tuple[Flaw, ...]


def parsed(text: str, variables: Mapping[str, Variable]) -> Parsed:
    """Read a template's text."""
    try:
        tree = environment(html=False).parse(text)
    except TemplateError as error:
        line = getattr(error, "lineno", 1) or 1
        return Parsed((), (Flaw(_start(text, line), "TEMPLATE_SYNTAX", first_line(error.message or "")),))
    except (ValueError, OverflowError, RecursionError, MemoryError):
        return Parsed((), (Flaw(0, "TEMPLATE_SYNTAX", "the text nests too deep, or has a number that is too long"),))
    walk = _Walk(text, variables)
    pieces = walk.body(tree.body, 0)
    return Parsed(() if walk.flaws else pieces, tuple(walk.flaws))


def length(pieces: Sequence[Piece], variables: Mapping[str, Variable], language: str) -> Length:
    """The most that comes of them, whatever the variables hold."""
    total = Length()
    for piece in pieces:
        if isinstance(piece, str):
            total = total.plus(Length.of(piece))
        elif isinstance(piece, Named):
            total = total.plus(Length.of(longest(variables[piece.name], language)))
        else:
            cases = [length(case, variables, language) for case in piece.cases]
            most = cases[0]
            for case in cases[1:]:
                most = most.either(case)
            total = total.plus(most)
    return total


def always(pieces: Sequence[Piece], name: str) -> bool:
    """Whether a variable stands there in every case."""
    return any(
        piece.name == name
        if isinstance(piece, Named)
        else isinstance(piece, Choice) and all(always(case, name) for case in piece.cases)
        for piece in pieces
    )


def can_be_empty(
    pieces: Sequence[Piece], variables: Mapping[str, Variable], said: frozenset[str] = frozenset()
) -> bool:
    """Whether nothing is left of them for a member of whom none of their texts is known, except those ``said``."""
    for piece in pieces:
        if isinstance(piece, str):
            empty = not piece.strip()
        elif isinstance(piece, Named):
            empty = variables[piece.name].type == "text" and piece.name not in said
        else:
            known = zip(piece.cases, piece.said, strict=True)
            empty = any(can_be_empty(case, variables, said | here) for case, here in known)
        if not empty:
            return False
    return True


def flat(
    pieces: Sequence[Piece], variables: Mapping[str, Variable], language: str, *, bare: bool
) -> tuple[str, ...] | None:
    """The longest that comes of them, in each of their cases; None where those are more than ``MAX_FLAT``."""
    found: tuple[str, ...] = ("",)
    for piece in pieces:
        more: tuple[str, ...] = ()
        if isinstance(piece, str):
            more = (piece,)
        elif isinstance(piece, Named):
            more = (longest(variables[piece.name], language, bare=bare),)
        else:
            for case in piece.cases:
                inner = flat(case, variables, language, bare=bare)
                if inner is None:
                    return None
                more += inner
        if len(found) * len(more) > MAX_FLAT:
            return None
        found = tuple(before + behind for before in found for behind in more)
    return found


def bare(field: str) -> bool:
    """Whether values stand as machines read them in a field of WeChat's."""
    match = WECHAT_FIELD.fullmatch(field)
    return match is not None and match[1] in _BARE_KINDS


class _Walk:
    """Goes through a syntax tree once, and takes down what may not be in it."""

    def __init__(self, text: str, variables: Mapping[str, Variable]) -> None:
        self._text = text
        self._variables = variables
        self._pieces = 0
        self.flaws: list[Flaw] = []

    def body(self, found: Sequence[nodes.Node], depth: int) -> tuple[Piece, ...]:
        pieces: list[Piece] = []
        if depth > MAX_DEPTH:
            self._refuse(found[0] if found else None, "the cases nest too deep")
            return ()
        for node in found:
            self._pieces += 1
            if self._pieces > MAX_PIECES:
                self._refuse(node, f"the text has more than {MAX_PIECES} pieces")
                return ()
            if isinstance(node, nodes.Output):
                for child in node.nodes:
                    pieces += self._output(child, depth)
            elif isinstance(node, nodes.If):
                self._test(node.test, depth)
                cases, said, left = [self.body(node.body, depth + 1)], [_said(node.test)], _said(node.test, not_so=True)
                for other in node.elif_:
                    self._test(other.test, depth)
                    cases.append(self.body(other.body, depth + 1))
                    said.append(left | _said(other.test))
                    left |= _said(other.test, not_so=True)
                cases.append(self.body(node.else_, depth + 1))
                pieces.append(Choice(tuple(cases), (*said, left)))
            else:
                self._refuse(node, ALLOWED)
        return tuple(pieces)

    def _output(self, node: nodes.Expr, depth: int) -> Iterator[Piece]:
        self._pieces += 1
        if self._pieces > MAX_PIECES or depth > MAX_DEPTH:
            self._refuse(node, f"the text has more than {MAX_PIECES} pieces, or they nest too deep")
        elif isinstance(node, nodes.TemplateData):
            yield node.data
        elif isinstance(node, nodes.Name):
            if self._known(node):
                yield Named(node.name)
        elif isinstance(node, nodes.Const) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, nodes.CondExpr) and node.expr2 is not None:
            self._test(node.test, depth)
            cases = (tuple(self._output(node.expr1, depth + 1)), tuple(self._output(node.expr2, depth + 1)))
            yield Choice(cases, (_said(node.test), _said(node.test, not_so=True)))
        else:
            self._refuse(node, ALLOWED)

    def _test(self, node: nodes.Node, depth: int) -> None:
        if depth > MAX_DEPTH:
            self._refuse(node, "the condition nests too deep")
        elif isinstance(node, nodes.Not):
            self._test(node.node, depth + 1)
        elif isinstance(node, nodes.And | nodes.Or):
            self._test(node.left, depth + 1)
            self._test(node.right, depth + 1)
        elif isinstance(node, nodes.Compare):
            self._compared(node)
        elif isinstance(node, nodes.Name):
            self._known(node)
        else:
            self._refuse(node, "a condition compares a variable with a number or a text: {% if points >= 100 %}")

    def _compared(self, node: nodes.Compare) -> None:
        ops = [operand.op for operand in node.ops]
        sides = [node.expr, *(operand.expr for operand in node.ops)]
        kinds = [self._kind(side) for side in sides]
        if "" in kinds:
            return
        if len(ops) != 1 or ops[0] not in ("eq", "ne", "lt", "lteq", "gt", "gteq"):
            self._refuse(node, "two things are compared, with ==, !=, <, <=, > or >=")
        elif kinds[0] != kinds[1] or (kinds[0] == "text" and ops[0] not in ("eq", "ne")) or kinds[0] == "other":
            self._refuse(node, "numbers are compared with numbers, and texts are the same or not")

    def _kind(self, node: nodes.Expr) -> str:
        """number, text or other; "" where it is nothing that could be compared, which is taken down."""
        if isinstance(node, nodes.Const) and type(node.value) in (int, str):
            return "number" if isinstance(node.value, int) else "text"
        if isinstance(node, nodes.Name):
            if not self._known(node):
                return ""
            kind = self._variables[node.name].type
            return "number" if kind in _ORDERED else "text" if kind == "text" else "other"
        self._refuse(node, "a condition compares a variable with a number or a text: {% if points >= 100 %}")
        return ""

    def _known(self, node: nodes.Name) -> bool:
        if node.name in self._variables:
            return True
        start = _start(self._text, node.lineno)
        match = re.compile(rf"\b{re.escape(node.name)}\b").search(self._text, start)
        message = f"{node.name} is no variable of this template"
        at = match.start() if match else start
        self.flaws.append(Flaw(at, "TEMPLATE_VARIABLE_UNKNOWN", message, node.name))
        return False

    def _refuse(self, node: nodes.Node | None, message: str) -> None:
        at = _start(self._text, node.lineno if node is not None else 1)
        self.flaws.append(Flaw(at, "TEMPLATE_NOT_ALLOWED", message))


def _said(test: nodes.Node, *, not_so: bool = False) -> frozenset[str]:
    """Variables that are not empty where a condition is true, or where it is ``not_so``; of a nested one none."""
    if isinstance(test, nodes.Not):
        return _said(test.node, not_so=not not_so) if isinstance(test.node, nodes.Name | nodes.Compare) else frozenset()
    if isinstance(test, nodes.Name):
        return frozenset() if not_so else frozenset({test.name})
    if isinstance(test, nodes.And | nodes.Or):
        sides = [one for one in (test.left, test.right) if isinstance(one, nodes.Name | nodes.Compare)]
        both = isinstance(test, nodes.Or) == not_so
        return frozenset().union(*(_said(one, not_so=not_so) for one in sides)) if both else frozenset()
    if isinstance(test, nodes.Compare) and isinstance(test.expr, nodes.Name) and test.ops:
        other = test.ops[0].expr
        if isinstance(other, nodes.Const) and other.value == "":
            return frozenset({test.expr.name}) if (test.ops[0].op == "ne") != not_so else frozenset()
    return frozenset()


def _start(text: str, line: int) -> int:
    """The first character of a line, counted from 1, that is no white space."""
    at = 0
    for _ in range(line - 1):
        behind = text.find("\n", at)
        if behind < 0:
            break
        at = behind + 1
    while at < len(text) and text[at].isspace():
        at += 1
    return min(at, max(len(text) - 1, 0))


def first_line(text: str) -> str:
    """Of an error of Jinja2's."""
    return text.split("\n", 1)[0][:200]


@lru_cache(maxsize=2)
def environment(*, html: bool) -> ImmutableSandboxedEnvironment:
    """The sandbox, emptied of all that there is to call. What is missing is an error."""
    found = ImmutableSandboxedEnvironment(autoescape=html, undefined=StrictUndefined, cache_size=0)
    found.globals.clear()
    found.filters.clear()
    found.tests.clear()
    return found
