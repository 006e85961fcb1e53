"""DynamoDB's condition, key condition and projection expressions, read and evaluated as the real engine does.

Comparisons, BETWEEN, IN, the functions, AND, OR, NOT, parentheses and document paths. An expression that the real
engine would refuse raises `Malformed`, whose text becomes the message of its ValidationException. Attribute values
keep their wire shape throughout (`{"S": "x"}`, `{"N": "1"}`); numbers are compared as decimals.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeAlias

from moto.dynamodb.parsing.reserved_keywords import ReservedKeywords

Value: TypeAlias = dict[str, Any]
Item: TypeAlias = dict[str, Value]
Path: TypeAlias = tuple[str | int, ...]

_TOKEN = re.compile(
    r"\s*(?:(?P<word>#?[A-Za-z0-9_]*[A-Za-z_][A-Za-z0-9_]*|#[0-9]+)|(?P<value>:[A-Za-z0-9_]+)"
    r"|(?P<compare><>|<=|>=|=|<|>)|(?P<mark>[(),.\[\]])|(?P<number>[0-9]+))"
)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda a, b: bool(a < b),
    "<=": lambda a, b: bool(a <= b),
    ">": lambda a, b: bool(a > b),
    ">=": lambda a, b: bool(a >= b),
}
_FUNCTIONS = {
    "attribute_exists": 1,
    "attribute_not_exists": 1,
    "attribute_type": 2,
    "begins_with": 2,
    "contains": 2,
    "size": 1,
}
_WORDS = {"AND", "OR", "NOT", "BETWEEN", "IN"}


class Malformed(Exception):
    """An expression the engine refuses; the text becomes the message of its ValidationException."""


@dataclass(frozen=True)
class Operand:
    """A document path (`path`, with `#names` unresolved), a placeholder (`value`) or `size(path)`."""

    path: Path = ()
    value: str = ""
    size: bool = False


@dataclass(frozen=True)
class Test:
    """One node of a condition: `kind` is and, or, not, a comparison sign, between, in or a function's name."""

    __test__ = False  # its name is a word of the language, not a pytest class

    kind: str
    parts: "tuple[Test, ...]" = ()
    operands: tuple[Operand, ...] = ()


@dataclass(frozen=True)
class Parsed:
    """A condition with the placeholders it uses: the engine refuses any that is given and not used."""

    root: Test
    names: frozenset[str]
    values: frozenset[str]


class _Reader:
    def __init__(self, text: str, kind: str) -> None:
        self.kind = kind
        self.text = text
        self.tokens: list[tuple[str, str]] = []
        position = 0
        while position < len(text.rstrip()):
            match = _TOKEN.match(text, position)
            if match is None:
                raise Malformed(f"Invalid {kind}: Syntax error; token: {text[position:].strip()[:1]!r}")
            self.tokens.append((str(match.lastgroup), match.group(str(match.lastgroup))))
            position = match.end()
        if not self.tokens:
            raise Malformed(f"Invalid {kind}: The expression can not be empty;")
        self.at = 0
        self.names: set[str] = set()
        self.values: set[str] = set()

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.at] if self.at < len(self.tokens) else ("end", "<EOF>")

    def take(self) -> tuple[str, str]:
        token = self.peek()
        self.at += 1
        return token

    def word(self, *words: str) -> bool:
        """Take the next token if it is one of the keywords."""
        group, text = self.peek()
        if group == "word" and text.upper() in words:
            self.at += 1
            return True
        return False

    def mark(self, mark: str) -> bool:
        if self.peek() == ("mark", mark):
            self.at += 1
            return True
        return False

    def expect(self, mark: str) -> None:
        if not self.mark(mark):
            raise self.error()

    def error(self) -> Malformed:
        return Malformed(f'Invalid {self.kind}: Syntax error; token: "{self.peek()[1]}", near: "{self.text}"')

    # or := and (OR and)* ; and := not (AND not)* ; not := NOT not | primary
    def either(self) -> Test:
        parts = [self.both()]
        while self.word("OR"):
            parts.append(self.both())
        return parts[0] if len(parts) == 1 else Test("or", tuple(parts))

    def both(self) -> Test:
        parts = [self.negated()]
        while self.word("AND"):
            parts.append(self.negated())
        return parts[0] if len(parts) == 1 else Test("and", tuple(parts))

    def negated(self) -> Test:
        if self.word("NOT"):
            return Test("not", (self.negated(),))
        return self.primary()

    def primary(self) -> Test:
        if self.mark("("):
            inside = self.either()
            self.expect(")")
            return inside
        group, text = self.peek()
        if (
            group == "word"
            and text in _FUNCTIONS
            and text != "size"
            and self.tokens[self.at + 1 : self.at + 2] == [("mark", "(")]
        ):
            self.at += 1
            return self.function(text)
        left = self.operand()
        if self.word("BETWEEN"):
            low = self.operand()
            if not self.word("AND"):
                raise self.error()
            return Test("between", operands=(left, low, self.operand()))
        if self.word("IN"):
            self.expect("(")
            options = [self.operand()]
            while self.mark(","):
                options.append(self.operand())
            self.expect(")")
            return Test("in", operands=(left, *options))
        group, text = self.take()
        if group != "compare":
            self.at -= 1
            raise self.error()
        right = self.operand()
        if left == right:
            raise Malformed(
                f"Invalid {self.kind}: The first operand must be distinct from the remaining operands for this "
                f"operator or function; operator: {text}, first operand: [{_shown(left)}]"
            )
        return Test(text, operands=(left, right))

    def function(self, name: str) -> Test:
        self.expect("(")
        operands = [self.operand()]
        while self.mark(","):
            operands.append(self.operand())
        self.expect(")")
        if len(operands) != _FUNCTIONS[name]:
            raise Malformed(
                f"Invalid {self.kind}: Incorrect number of operands for operator or function; operator: {name}, "
                f"number of operands: {len(operands)}"
            )
        if name.startswith("attribute_") and not operands[0].path:
            raise Malformed(
                f"Invalid {self.kind}: Operator or function requires a document path; operator or function: {name}"
            )
        return Test(name, operands=tuple(operands))

    def operand(self) -> Operand:
        group, text = self.peek()
        if group == "value":
            self.at += 1
            self.values.add(text)
            return Operand(value=text)
        if group == "word" and text == "size" and self.tokens[self.at + 1 : self.at + 2] == [("mark", "(")]:
            self.at += 2
            inside = self.path()
            self.expect(")")
            return Operand(path=inside, size=True)
        return Operand(path=self.path())

    def path(self) -> Path:
        parts: list[str | int] = [self.name()]
        while True:
            if self.mark("."):
                parts.append(self.name())
            elif self.mark("["):
                group, text = self.take()
                if group != "number":
                    raise self.error()
                parts.append(int(text))
                self.expect("]")
            else:
                return tuple(parts)

    def name(self) -> str:
        group, text = self.peek()
        if group != "word" or text.upper() in _WORDS:
            raise self.error()
        if text.startswith("#"):
            self.names.add(text)
        elif text.upper() in _reserved():
            raise Malformed(f"Invalid {self.kind}: Attribute name is a reserved keyword; reserved keyword: {text}")
        self.at += 1
        return text

    def finish(self) -> None:
        if self.at < len(self.tokens):
            raise self.error()


@lru_cache(maxsize=1)
def _reserved() -> frozenset[str]:
    return frozenset(str(word).upper() for word in ReservedKeywords.get_reserved_keywords())


@lru_cache(maxsize=4096)
def parse(text: str, kind: str = "ConditionExpression") -> Parsed:
    """Read a condition, filter or key condition; raises Malformed."""
    reader = _Reader(text, kind)
    root = reader.either()
    reader.finish()
    return Parsed(root, frozenset(reader.names), frozenset(reader.values))


@lru_cache(maxsize=1024)
def parse_projection(text: str) -> tuple[tuple[Path, ...], frozenset[str]]:
    """Read a projection; gives its paths and the `#names` it uses; raises Malformed."""
    reader = _Reader(text, "ProjectionExpression")
    paths = [reader.path()]
    while reader.mark(","):
        paths.append(reader.path())
    reader.finish()
    return tuple(paths), frozenset(reader.names)


def resolve(path: Path, names: Mapping[str, str], kind: str = "ConditionExpression") -> Path:
    """The path with its `#names` replaced; raises Malformed for a name nobody defined."""
    parts: list[str | int] = []
    for part in path:
        if isinstance(part, str) and part.startswith("#"):
            if part not in names:
                raise Malformed(
                    f"Invalid {kind}: An expression attribute name used in the document path is not defined; "
                    f"attribute name: {part}"
                )
            part = names[part]
        parts.append(part)
    return tuple(parts)


def find(item: Mapping[str, Value], path: Path) -> Value | None:
    """The value at a resolved path, or None where there is none."""
    value: Value | None = item.get(str(path[0]))
    for part in path[1:]:
        if value is None:
            return None
        if isinstance(part, int):
            elements = value.get("L")
            value = elements[part] if isinstance(elements, list) and part < len(elements) else None
        else:
            members = value.get("M")
            value = members.get(part) if isinstance(members, dict) else None
    return value


def project(item: Mapping[str, Value], paths: tuple[Path, ...]) -> Item:
    """The parts of the item named by resolved paths. Lists keep their order and close their gaps, as in the engine."""
    tree: dict[str | int, Any] = {}
    for path in paths:
        branch = tree
        for part in path:
            branch = branch.setdefault(part, {})
    out: Item = {}
    for name, branch in tree.items():
        if str(name) in item:
            kept = _kept(item[str(name)], branch)
            if kept is not None:
                out[str(name)] = kept
    return out


def _kept(value: Value, branch: dict[str | int, Any]) -> Value | None:
    if not branch:
        return value
    if "M" in value:
        members: dict[str, Value] = {}
        for name, below in branch.items():
            if isinstance(name, str) and name in value["M"]:
                kept = _kept(value["M"][name], below)
                if kept is not None:
                    members[name] = kept
        return {"M": members} if members else None
    if "L" in value:
        elements: list[Value] = []
        for index in sorted(key for key in branch if isinstance(key, int)):
            if index < len(value["L"]):
                kept = _kept(value["L"][index], branch[index])
                if kept is not None:
                    elements.append(kept)
        return {"L": elements} if elements else None
    return None


def comparable(value: Value) -> tuple[str, Any]:
    """(type, something Python compares as the engine does). Strings compare by their UTF-8 bytes."""
    ((kind, content),) = value.items()
    if kind == "N":
        return kind, Decimal(content)
    if kind == "S":
        return kind, str(content).encode()
    if kind == "NS":
        return kind, frozenset(Decimal(number) for number in content)
    if kind in ("SS", "BS"):
        return kind, frozenset(content)
    if kind == "L":
        return kind, [comparable(element) for element in content]
    if kind == "M":
        return kind, {name: comparable(member) for name, member in content.items()}
    return kind, content


def measure(value: Value) -> int | None:
    """What `size()` says of a value: bytes, digits never, elements of a collection; None where it is not defined."""
    ((kind, content),) = value.items()
    if kind == "S":
        return len(str(content).encode())
    if kind in ("B", "L", "M", "SS", "NS", "BS"):
        return len(content)
    return None


@dataclass(frozen=True)
class _Scope:
    """What an expression is evaluated in."""

    item: Mapping[str, Value]
    names: Mapping[str, str]
    values: Mapping[str, Value]
    kind: str

    def value(self, operand: Operand) -> Value | None:
        if operand.value:
            if operand.value not in self.values:
                raise Malformed(
                    f"Invalid {self.kind}: An expression attribute value used in expression is not defined; "
                    f"attribute value: {operand.value}"
                )
            return self.values[operand.value]
        found = find(self.item, resolve(operand.path, self.names, self.kind))
        if operand.size:
            length = None if found is None else measure(found)
            return None if length is None else {"N": str(length)}
        return found


def holds(
    test: Test, item: Mapping[str, Value], names: Mapping[str, str], values: Mapping[str, Value], kind: str
) -> bool:
    """Whether the item (empty when there is none) meets the condition; raises Malformed for wrong operands."""
    return _holds(test, _Scope(item, names, values, kind))


def _holds(test: Test, scope: _Scope) -> bool:
    if test.parts:
        parts = [_holds(part, scope) for part in test.parts]  # all of them: a wrong operand anywhere is refused
        return {"and": all(parts), "or": any(parts), "not": not parts[0]}[test.kind]
    given = [scope.value(operand) for operand in test.operands]
    if test.kind == "attribute_exists":
        return given[0] is not None
    if test.kind == "attribute_not_exists":
        return given[0] is None
    for operand, value in zip(test.operands, given, strict=True):
        if operand.value and value is not None:
            _check_operand(test.kind, value, scope.kind, first=operand is test.operands[0])
    left, *others = given
    if left is None or None in others:
        present = [value for value in others if value is not None]
        return test.kind == "<>" or (test.kind == "in" and left is not None and _among(left, present))
    return _compared(test.kind, left, [value for value in others if value is not None])


def _compared(sign: str, left: Value, others: list[Value]) -> bool:
    """A comparison or function whose operands are all there."""
    if sign == "=":
        return comparable(left) == comparable(others[0])
    if sign == "<>":
        return comparable(left) != comparable(others[0])
    if sign == "in":
        return _among(left, others)
    if sign == "between":
        return _ordered(">=", left, others[0]) and _ordered("<=", left, others[1])
    if sign == "contains":
        return _contains(left, others[0])
    ((its, content),) = left.items()
    if sign == "attribute_type":
        return bool(others[0]["S"] == its)
    if sign == "begins_with":
        return its in ("S", "B") and its in others[0] and bool(content.startswith(others[0][its]))
    return _ordered(sign, left, others[0])


def _among(left: Value, options: list[Value]) -> bool:
    return any(comparable(left) == comparable(option) for option in options)


def _check_operand(function: str, value: Value, kind: str, *, first: bool) -> None:
    """Literal operands of the wrong type are refused before any item is read."""
    ((its, content),) = value.items()
    wrong = (
        (function in _COMPARE and its not in ("S", "N", "B"))
        or (function == "between" and its not in ("S", "N", "B"))
        or (function == "begins_with" and its not in ("S", "B"))
        or (function == "attribute_type" and its != "S")
    )
    if wrong:
        shown = {"between": "BETWEEN"}.get(function, function)
        raise Malformed(
            f"Invalid {kind}: Incorrect operand type for operator or function; operator or function: {shown}, "
            f"operand type: {its}"
        )
    if (
        function == "attribute_type"
        and not first
        and content not in {"S", "N", "B", "SS", "NS", "BS", "L", "M", "BOOL", "NULL"}
    ):
        raise Malformed(f"Invalid {kind}: Invalid attribute type name found; type: {content}")


def _ordered(sign: str, left: Value, right: Value) -> bool:
    (its, a), (other, b) = comparable(left), comparable(right)
    return its == other and its in ("S", "N", "B") and _COMPARE[sign](a, b)


def _contains(left: Value, right: Value) -> bool:
    ((its, content),) = left.items()
    if its in ("S", "B"):
        return its in right and right[its] in content
    if its in ("SS", "NS", "BS"):
        kind, wanted = comparable(right)
        return kind == its[0] and wanted in {comparable({kind: element})[1] for element in content}
    if its == "L":
        return any(comparable(element) == comparable(right) for element in content)
    return False


def _shown(operand: Operand) -> str:
    return operand.value or ".".join(str(part) for part in operand.path)
