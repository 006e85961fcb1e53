"""YAML as people write it, with the place of everything: each node knows its line and column, and so does each
character of a text in it, however it is quoted or folded.

Values stay texts. Whoever reads a node says what it should be, so ``on`` is a key and not a truth, and ``60.10`` is
sixty and ten hundredths exactly. Anchors, aliases, tags and merge keys are refused: what is written is what there is.
"""

import re
from bisect import bisect_right
from typing import Any, Final, Literal

import yaml
from msgspec import Struct

MAX_BYTES: Final = 1_000_000
MAX_DEPTH: Final = 20
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_ESCAPES: Final = {"x": 4, "u": 6, "U": 10}
"""Lengths of the escapes of a double-quoted text that are longer than two."""
_WHITE: Final = " \t\ntnvfrNLP_"
"""Letters of its escapes that stand for white space, or for nothing at the end of a line."""


class Issue(Struct, frozen=True):
    """Something wrong with a file. ``line`` and ``column`` count from 1; ``suggestion`` is "" where there is none."""

    file: str
    line: int
    column: int
    code: str
    message: str
    suggestion: str = ""

    def __str__(self) -> str:
        hint = f" (did you mean {self.suggestion}?)" if self.suggestion else ""
        return f"{self.file}:{self.line}:{self.column}: {self.message}{hint}"


class Place(Struct, frozen=True):
    """Where something begins; ``line`` and ``column`` count from 1, ``index`` counts characters from 0."""

    line: int
    column: int
    index: int


class Node(Struct):
    """A text, a mapping or a list. ``plain`` texts stand without quotes; ``end`` is the index behind a text."""

    kind: Literal["text", "mapping", "list"]
    at: Place
    value: str = ""
    plain: bool = False
    style: str = ""
    end: int = 0
    items: "list[Node]" = []
    entries: "list[tuple[Node, Node]]" = []
    """Keys, which are texts and each there once, with their values."""

    def get(self, key: str) -> "Node | None":
        """The value of a mapping's key."""
        return next((value for name, value in self.entries if name.value == key), None)

    @property
    def empty(self) -> bool:
        """Nothing was written where a value belongs."""
        return self.kind == "text" and self.plain and self.value in ("", "~", "null")


class Unreadable(Exception):
    """The file is no YAML that could be read on: it has the one issue that stopped it."""

    def __init__(self, issue: Issue) -> None:
        super().__init__(issue.message)
        self.issue = issue


class Document:
    """One file: ``root`` is its outermost node, ``issues`` are those of the YAML itself.

    Raises Unreadable when there is nothing to go on with.
    """

    def __init__(self, text: str, file: str) -> None:
        self.text = text
        self.file = file
        self.issues: list[Issue] = []
        self._lines = [0, *(match.end() for match in re.finditer("\n", text))]
        if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
            raise self._unreadable(1, 1, "RULE_FILE_TOO_LARGE", f"a rule set has at most {MAX_BYTES:,} bytes")
        try:
            self.root = self._compose()
        except yaml.MarkedYAMLError as error:
            mark: Any = error.problem_mark or error.context_mark
            line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            reason = " ".join(part for part in (error.context, error.problem) if part)
            raise self._unreadable(line, column, "RULE_YAML_INVALID", f"not YAML: {reason}") from None
        except (yaml.YAMLError, UnicodeError) as error:
            place = self.place(getattr(error, "position", 0) or 0)
            message = "not YAML: a character that YAML does not allow"
            raise self._unreadable(place.line, place.column, "RULE_YAML_INVALID", message) from None

    def place(self, index: int) -> Place:
        """Line and column of a character of the file."""
        line = bisect_right(self._lines, index)
        return Place(line, index - self._lines[line - 1] + 1, index)

    def within(self, node: Node, offset: int) -> Place:
        """Where the character ``offset`` of a text stands in the file; behind its last one, where that ends."""
        if node.kind != "text":
            return node.at
        places = self._characters(node)
        if not places:
            return node.at
        return self.place(places[offset] if offset < len(places) else places[-1] + 1)

    def _unreadable(self, line: int, column: int, code: str, message: str) -> Unreadable:
        return Unreadable(Issue(self.file, line, column, code, message))

    def _issue(self, at: Place, code: str, message: str) -> None:
        self.issues.append(Issue(self.file, at.line, at.column, code, message))

    def _compose(self) -> Node:
        """Nodes from the parser's events, one by one: nothing here nests as deep as the file does."""
        root: Node | None = None
        open_nodes: list[Node] = []
        keys: list[Node | None] = []
        seen: list[set[str]] = []
        for event in yaml.parse(self.text, Loader=_LOADER):
            if isinstance(event, yaml.DocumentStartEvent) and root is not None:
                at = _place(event)
                raise self._unreadable(at.line, at.column, "RULE_YAML_INVALID", "a file holds one document")
            if isinstance(event, yaml.CollectionEndEvent):
                open_nodes.pop()
                keys.pop()
                seen.pop()
                continue
            node = self._node(event)
            if node is None:
                continue
            if not open_nodes:
                root = node
            else:
                keys[-1] = self._put(open_nodes[-1], keys[-1], node, seen[-1])
            if node.kind != "text":
                if len(open_nodes) == MAX_DEPTH:
                    raise self._unreadable(
                        node.at.line, node.at.column, "RULE_YAML_INVALID", f"nested deeper than {MAX_DEPTH}"
                    )
                open_nodes.append(node)
                keys.append(None)
                seen.append(set())
        if root is None:
            raise self._unreadable(1, 1, "RULE_YAML_INVALID", "the file is empty")
        return root

    def _put(self, into: Node, key: Node | None, node: Node, seen: set[str]) -> Node | None:
        """Add a node to the list or mapping that it stands in; a mapping's key waits for its value."""
        if into.kind == "list":
            into.items.append(node)
            return None
        if key is None:
            if node.kind != "text":
                self._issue(node.at, "RULE_YAML_INVALID", "a key is a text")
            return node
        if key.plain and key.value == "<<":
            self._issue(key.at, "RULE_YAML_FEATURE", "merge keys are not read: write out what belongs here")
        elif key.value in seen:
            self._issue(key.at, "RULE_KEY_DUPLICATE", f"{key.value} stands here twice")
        elif key.kind == "text":
            seen.add(key.value)
            into.entries.append((key, node))
        return None

    def _node(self, event: Any) -> Node | None:
        if not isinstance(event, yaml.NodeEvent):
            return None
        at = _place(event)
        if isinstance(event, yaml.AliasEvent):
            self._issue(at, "RULE_YAML_FEATURE", "aliases are not read: write out what belongs here")
            return Node("text", at)
        if event.anchor is not None:
            self._issue(at, "RULE_YAML_FEATURE", "anchors are not read: leave the & name out")
        tag = getattr(event, "tag", None)
        if tag is not None:
            self._issue(at, "RULE_YAML_FEATURE", "tags are not read: leave the ! name out")
        if isinstance(event, yaml.ScalarEvent):
            style = event.style or ""
            end: Any = event.end_mark
            return Node("text", at, event.value, plain=style == "", style=style, end=end.index)
        if isinstance(event, yaml.MappingStartEvent):
            return Node("mapping", at, entries=[])
        return Node("list", at, items=[])

    def _characters(self, node: Node) -> list[int]:
        """The index in the file of each character of a text.

        Folding only adds and removes white space and escapes stand for themselves, so the two texts are walked along
        together: what is not white in the one comes next in the other.
        """
        text, at, end = self.text, node.at.index, node.end
        if node.style in ("|", ">"):
            at = text.index("\n", at) + 1  # the indicators, and whatever comment stands behind them
        elif node.style:
            at += 1
            end -= 1
        found: list[int] = []
        for wanted in node.value:
            length, white = self._step(node, at, end)
            while length and white and not wanted.isspace():
                at += length
                length, white = self._step(node, at, end)
            found.append(min(at, max(end - 1, 0)))
            if white == wanted.isspace():
                at += length
        return found

    def _step(self, node: Node, at: int, end: int) -> tuple[int, bool]:
        """How many characters of the file stand for the next one of a text, 0 at its end; and whether that is white."""
        if at >= end:
            return 0, False
        character, follows = self.text[at], self.text[at + 1 : at + 2]
        if node.style == "'" and character == follows == "'":
            return 2, False
        if node.style != '"' or character != "\\":
            return 1, character.isspace()
        length = _ESCAPES.get(follows, 2)
        if length > 2:
            return length, chr(int(self.text[at + 2 : at + length], 16)).isspace()
        return 2, follows in _WHITE


def _place(event: Any) -> Place:
    mark = event.start_mark
    return Place(mark.line + 1, mark.column + 1, mark.index)
