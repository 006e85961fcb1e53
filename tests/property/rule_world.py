"""Random rules and random things that happen, for the language and for SQLite alike.

Every expression is made twice while it is drawn: as a text of the rule language, with no more brackets than it needs,
and as SQL over tables of facts, with all of them. Neither is made from the other, so a wrong precedence is as much a
disagreement as a wrong value. In SQL a number is an integer in 1/scale, and a quotient a pair of them.
"""

from collections.abc import Callable, Sequence
from datetime import date
from math import lcm
from random import Random
from typing import Any, Final, NamedTuple

from loyalty.rules import schema
from loyalty.rules.evaluation import Facts
from loyalty.rules.ruleset import On
from loyalty.rules.tree import Type

EXPONENT: Final = 2
CALENDAR: Final = ("double_11", "member_day", "midsummer")
SEGMENTS: Final = ("gold hunters", "o'neil", "vip")
MEMBER: Final[dict[str, Type]] = {"score": "number", "since": "date", "vegan": "truth", "motto": "text"}
LINE: Final[dict[str, Type]] = {"organic": "truth", "weight": "number", "origin": "text"}
EVENTS: Final[dict[str, Type]] = {"photo": "truth", "words": "number", "product": "text", "on": "date"}
TEXTS: Final = (
    "a",
    "b",
    "ab",
    "aab",
    "AB",
    "o'neil",
    "50%_off",
    "日本酒",
    "ä",
    "Ä",
    "",
    "wine red",
    "wine white",
    "🍷",
)
FIRST_DAY: Final = date(2026, 10, 1).toordinal()
LAST_DAY: Final = date(2026, 12, 31).toordinal()
LARGEST: Final = 2**61
"""Largest integer that SQLite is made to reckon with: beyond 64 bits it would go over to floating point."""


PLACES: Final = schema.layout(MEMBER, LINE, EVENTS)
"""The fields that all of these rules may speak of."""
OF_EVENTS: Final = frozenset(name for name in PLACES.places if name.startswith("event."))
OF_TIME: Final = frozenset({"date", "local_time", "weekday", "month", "day", "days"})


class TooLarge(Exception):
    """A number that SQLite could not reckon with exactly: draw another."""


class Drawn(NamedTuple):
    """An expression: its text and how tightly that binds (8 is a leaf), its SQL. Of a number ``den`` is the SQL of its
    denominator, ``scale`` that denominator where it is constant (else 0), and ``size``, ``den_size`` bound both.
    """

    text: str
    level: int
    sql: str
    den: str = "1"
    scale: int = 1
    size: int = 0
    den_size: int = 1

    def within(self, level: int) -> str:
        """As part of something that binds so tightly."""
        return self.text if self.level >= level else f"({self.text})"


def number(text: str, level: int, sql: str, scale: int, size: int) -> Drawn:
    if size > LARGEST:
        raise TooLarge
    return Drawn(text, level, sql, str(scale), scale, size, scale)


def quotient(text: str, level: int, sql: str, den: str, size: int, den_size: int) -> Drawn:
    if max(size, den_size) > LARGEST:
        raise TooLarge
    return Drawn(text, level, sql, den, 0, size, den_size)


def quoted(text: str) -> str:
    escaped = text.replace("'", "''")
    return f"'{escaped}'"


def column(name: str) -> str:
    """A fact's column, in the table of its scope."""
    return f'{"l" if PLACES.places[name].fact.scope == "line" else "o"}."{name}"'


class Expressions:
    """Draws expressions for rules of one kind."""

    def __init__(self, random: Random, on: On, base_scale: int) -> None:
        self.random = random
        self.on = on
        self.base_scale = base_scale
        self.lines = on == "line"
        """Whether fields of a line can be spoken of here."""
        self.base = on != "event"

    # Which fields

    def fields(self, kind: str) -> list[str]:
        return [name for name, place in PLACES.places.items() if place.fact.type == kind and self.usable(name)]

    def usable(self, name: str) -> bool:
        if self.on == "event":
            return name in OF_EVENTS or name in OF_TIME or name.startswith("member.")
        if name in OF_EVENTS or name in ("base", "line.base"):
            return (
                self.base
                and name == ("base" if self.on == "order" and not self.lines else "line.base")
                and (name == "base" or self.lines)
            )
        return self.lines or not name.startswith("line.")

    def field(self, kind: str) -> str:
        return self.random.choice(self.fields(kind))

    # Conditions

    def condition(self, depth: int) -> Drawn:
        ways: list[Callable[[int], Drawn]] = [self.compared_numbers, self.compared_texts, self.simple, self.simple]
        if depth > 0:
            ways += [self.connected, self.connected, self.connected, self.negated, self.chosen_condition]
        for _ in range(20):
            try:
                return self.random.choice(ways)(depth - 1)
            except TooLarge:
                continue
        return self.named(0)

    def simple(self, depth: int) -> Drawn:
        ways = [self.named, self.truth, self.null, self.listed, self.like, self.between, self.compared_moments]
        return self.random.choice(ways)(depth)

    def connected(self, depth: int) -> Drawn:
        word, level = self.random.choice((("AND", 2), ("OR", 1)))
        items = [self.condition(depth) for _ in range(self.random.randint(2, 3))]
        text = f" {self.word(word)} ".join(item.within(level) for item in items)
        return Drawn(text, level, "(" + f" {word} ".join(item.sql for item in items) + ")")

    def negated(self, depth: int) -> Drawn:
        item = self.condition(depth)
        return Drawn(f"{self.word('NOT')} {item.within(3)}", 3, f"(NOT {item.sql})")

    def truth(self, depth: int) -> Drawn:
        del depth
        fields = self.fields("truth")
        way = self.random.randrange(5) if fields else 4
        if way == 4:
            value = self.random.random() < 0.5
            return Drawn("TRUE" if value else "FALSE", 8, str(int(value)))
        name = self.random.choice(fields)
        if way == 3:
            value = self.random.random() < 0.5
            fallback = "TRUE" if value else "FALSE"
            return Drawn(f"COALESCE({name}, {fallback})", 8, f"coalesce({column(name)}, {int(value)})")
        if way < 2:
            return Drawn(name, 8, column(name))
        op, value = self.random.choice(("=", "<>")), self.random.random() < 0.5
        return Drawn(f"{name} {op} {'TRUE' if value else 'FALSE'}", 4, f"({column(name)} {op} {int(value)})")

    def named(self, depth: int) -> Drawn:
        del depth
        if self.random.random() < 0.5:
            day = self.random.choice(CALENDAR)
            text, level = self.random.choice(((f"ON_DAY('{day}')", 8), (f"'{day}' IN days", 4)))
            return Drawn(text, level, f"(instr(o.\"days\", '|{day}|') > 0)")
        name = self.random.choice(SEGMENTS)
        inside = f'instr(o."member.segments", {quoted(f"|{name}|")})'
        if self.random.random() < 0.3:
            return Drawn(f"{quoted(name)} NOT IN member.segments", 4, f"(NOT ({inside} > 0))")
        return Drawn(f"{quoted(name)} IN member.segments", 4, f"({inside} > 0)")

    def null(self, depth: int) -> Drawn:
        kind = self.random.choice(("number", "text", "date", "truth", "any"))
        item = self.numeric(depth) if kind == "any" else self.leaf(kind)
        sql = item.sql if kind != "any" else f"({item.sql}) + ({item.den})"
        if self.random.random() < 0.5:
            return Drawn(f"{item.within(5)} IS NULL", 4, f"({sql} IS NULL)")
        return Drawn(f"{item.within(5)} IS NOT NULL", 4, f"({sql} IS NOT NULL)")

    def leaf(self, kind: str) -> Drawn:
        fields = self.fields(kind)
        if not fields:
            return self.text_leaf()
        name = self.random.choice(fields)
        return Drawn(name, 8, column(name))

    def listed(self, depth: int) -> Drawn:
        del depth
        inverse = self.random.random() < 0.4
        if self.random.random() < 0.6:
            name = self.field("text")
            values = [self.text_of(name) for _ in range(self.random.randint(1, 4))]
            item = Drawn(name, 8, column(name))
            texts, sqls = [quoted(value) for value in values], [quoted(value) for value in values]
            text_list, sql_list = ", ".join(texts), ", ".join(sqls)
            text, sql = self._list(item, text_list, inverse), f"({item.sql} IN ({sql_list}))"
        else:
            whole = self.number_leaf()
            literals = [self.literal() for _ in range(self.random.randint(1, 4))]
            scale = lcm(whole.scale, *(one.scale for one in literals))
            values_sql = ", ".join(f"{one.sql} * {scale // one.scale}" for one in literals)
            text = self._list(whole, ", ".join(one.text for one in literals), inverse)
            sql = f"({whole.sql} * {scale // whole.scale} IN ({values_sql}))"
        return Drawn(text, 4, f"(NOT {sql})" if inverse else sql)

    def _list(self, item: Drawn, values: str, inverse: bool) -> str:
        return f"{item.within(5)} {self.word('NOT IN' if inverse else 'IN')} ({values})"

    def like(self, depth: int) -> Drawn:
        del depth
        item, inverse = self.text_leaf(), self.random.random() < 0.3
        pattern = quoted(self.pattern())
        text = f"{item.within(5)} {self.word('NOT LIKE' if inverse else 'LIKE')} {pattern}"
        sql = f"({item.sql} LIKE {pattern})"
        return Drawn(text, 4, f"(NOT {sql})" if inverse else sql)

    def pattern(self) -> str:
        letters = list(self.random.choice(TEXTS))
        for _ in range(self.random.randint(0, 3)):
            place = self.random.randint(0, len(letters))
            width = self.random.choice((0, 0, 1, 2))
            letters[place : place + width] = [self.random.choice(("%", "_", "%", "a", "%%"))]
        return "".join(letters)

    def between(self, depth: int) -> Drawn:
        inverse = self.random.random() < 0.3
        word = self.word("NOT BETWEEN" if inverse else "BETWEEN")
        if self.random.random() < 0.5:
            item, low, high = self.numeric(depth), self.numeric(0), self.numeric(0)
            sql = f"({_less(low, item, '<=')} AND {_less(item, high, '<=')})"
        else:
            name, draw = self.moment()
            item, low, high = Drawn(name, 8, column(name)), draw(), draw()
            sql = f"({item.sql} >= {low.sql} AND {item.sql} <= {high.sql})"
        text = f"{item.within(5)} {word} {low.within(5)} {self.word('AND')} {high.within(5)}"
        return Drawn(text, 4, f"(NOT {sql})" if inverse else sql)

    def moment(self) -> tuple[str, Callable[[], Drawn]]:
        if self.random.random() < 0.4:
            return "local_time", self.time_literal
        return self.field("date"), self.date_literal

    def time_literal(self) -> Drawn:
        hours, minutes = self.random.randrange(24), self.random.choice((0, 15, 30, 59))
        return Drawn(f"'{hours:02}:{minutes:02}'", 8, str(hours * 3600 + minutes * 60))

    def date_literal(self) -> Drawn:
        day = self.random.randint(FIRST_DAY, LAST_DAY)
        return Drawn(f"'{date.fromordinal(day).isoformat()}'", 8, str(day))

    def compared_moments(self, depth: int) -> Drawn:
        del depth
        name, draw = self.moment()
        op = self.random.choice(("=", "<>", "<", "<=", ">", ">=", "!="))
        other = draw()
        if self.random.random() < 0.3:
            return Drawn(f"{other.text} {op} {name}", 4, f"({other.sql} {op} {column(name)})")
        return Drawn(f"{name} {op} {other.text}", 4, f"({column(name)} {op} {other.sql})")

    def compared_numbers(self, depth: int) -> Drawn:
        left, right = self.numeric(depth), self.numeric(0)
        if self.random.random() < 0.3:
            left, right = right, left
        op = self.random.choice(("=", "<>", "<", "<=", ">", ">=", "!="))
        return Drawn(f"{left.within(5)} {op} {right.within(5)}", 4, _less(left, right, op))

    def compared_texts(self, depth: int) -> Drawn:
        del depth
        name = self.field("text")
        item = Drawn(name, 8, column(name))
        value = quoted(self.text_of(name))
        op = self.random.choice(("=", "=", "=", "<>", "<", ">=", "!="))
        if self.random.random() < 0.25:
            item, value, op = self.text_leaf(), quoted(self.random.choice(TEXTS)), self.random.choice(("=", "<", ">="))
        return Drawn(f"{item.within(5)} {op} {value}", 4, f"({item.sql} {op} {value})")

    def text_of(self, name: str) -> str:
        known = PLACES.places[name].fact.values
        return self.random.choice(known or TEXTS)

    def text_leaf(self) -> Drawn:
        name = self.random.choice([name for name in self.fields("text") if name != "weekday"])
        way = self.random.randrange(6)
        if way == 0:
            return Drawn(f"{self.word('LOWER')}({name})", 8, f"lower({column(name)})")
        if way == 1:
            return Drawn(f"UPPER({name})", 8, f"upper({column(name)})")
        if way == 2:
            other = quoted(self.random.choice(TEXTS))
            return Drawn(f"COALESCE({name}, {other})", 8, f"coalesce({column(name)}, {other})")
        if way == 3:
            other = quoted(self.text_of(name))
            return Drawn(f"NULLIF({name}, {other})", 8, f"nullif({column(name)}, {other})")
        return Drawn(name, 8, column(name))

    def chosen_condition(self, depth: int) -> Drawn:
        when, then, other = (self.condition(min(depth, 1)) for _ in range(3))
        text = f"CASE WHEN {when.text} THEN {then.text} ELSE {other.text} END"
        return Drawn(text, 8, f"(CASE WHEN {when.sql} THEN {then.sql} ELSE {other.sql} END)")

    # Numbers

    def numeric(self, depth: int) -> Drawn:
        for _ in range(20):
            try:
                return self._numeric(depth)
            except TooLarge:
                continue
        return self.literal()

    def _numeric(self, depth: int) -> Drawn:
        ways: list[Callable[[int], Drawn]] = [lambda _: self.number_leaf(), lambda _: self.literal()]
        if self.on == "order" and not self.lines:
            ways += [self.aggregate]
        if depth > 0:
            ways += [self.plus, self.times, self.over_constant, self.over, self.minus_sign, self.chosen_number]
            ways += [self.called, self.rounded, self.coalesced, self.length]
        return self.random.choice(ways)(depth - 1)

    def literal(self) -> Drawn:
        places = self.random.choice((0, 0, 0, 1, 2, 3))
        value = self.random.choice((0, 1, 2, 3, 5, 10, 50, self.random.randrange(2000)))
        sign = "-" if self.random.random() < 0.1 else ""
        text = f"{value}.{self.random.randrange(10**places):0{places}}" if places else str(value)
        digits = int(text.replace(".", ""))
        return number(f"{sign}{text}", 7 if sign else 8, f"({sign}{digits})", 10**places, digits)

    def number_leaf(self) -> Drawn:
        name = self.field("number")
        scale = schema.field(PLACES.places[name], EXPONENT, self.base_scale).scale
        return number(name, 8, column(name), scale, 100_000_000)

    def plus(self, depth: int) -> Drawn:
        op = self.random.choice(("+", "-"))
        left, right = self.numeric(depth), self.numeric(depth)
        text = f"{left.within(5)} {op} {right.within(6)}"
        if left.scale and right.scale:
            scale = lcm(left.scale, right.scale)
            up, down = scale // left.scale, scale // right.scale
            sql = f"({left.sql} * {up} {op} {right.sql} * {down})"
            return number(text, 5, sql, scale, left.size * up + right.size * down)
        sql = f"({left.sql} * {right.den} {op} {right.sql} * {left.den})"
        size = left.size * right.den_size + right.size * left.den_size
        return quotient(text, 5, sql, f"({left.den} * {right.den})", size, left.den_size * right.den_size)

    def times(self, depth: int) -> Drawn:
        left, right = self.numeric(depth), self.numeric(depth)
        if self.random.random() < 0.7:
            left = self.literal()
        text = f"{left.within(6)} * {right.within(7)}"
        sql, size = f"({left.sql} * {right.sql})", left.size * right.size
        if left.scale and right.scale:
            return number(text, 6, sql, left.scale * right.scale, size)
        return quotient(text, 6, sql, f"({left.den} * {right.den})", size, left.den_size * right.den_size)

    def over_constant(self, depth: int) -> Drawn:
        left = self.numeric(depth)
        by = self.random.choice((2, 3, 7, 10, 100))
        text = f"{left.within(6)} / {by}"
        if left.scale:
            return number(text, 6, left.sql, left.scale * by, left.size)
        return quotient(text, 6, left.sql, f"({left.den} * {by})", left.size, left.den_size * by)

    def over(self, depth: int) -> Drawn:
        left, right = self.numeric(depth), self.number_leaf()
        text = f"{left.within(6)} / NULLIF({right.text}, 0)"
        sql = f"({left.sql} * {right.scale} * sign({right.sql}))"
        den = f"({left.den} * nullif(abs({right.sql}), 0))"
        return quotient(text, 6, sql, den, left.size * right.scale, left.den_size * right.size)

    def minus_sign(self, depth: int) -> Drawn:
        item = self.numeric(depth)
        return item._replace(text=f"-{item.within(8)}", level=7, sql=f"(-{item.sql})")

    def chosen_number(self, depth: int) -> Drawn:
        when, then = self.condition(min(depth, 1)), self.static(depth)
        other = self.static(depth) if self.random.random() < 0.7 else None
        scale = lcm(then.scale, other.scale if other else 1)
        down = f" ELSE {other.sql} * {scale // other.scale}" if other else ""
        sql = f"(CASE WHEN {when.sql} THEN {then.sql} * {scale // then.scale}{down} END)"
        otherwise = f" {self.word('ELSE')} {other.text}" if other else ""
        text = f"{self.word('CASE WHEN')} {when.text} {self.word('THEN')} {then.text}{otherwise} {self.word('END')}"
        largest = max(part.size * scale // part.scale for part in (then, other) if part)
        return number(text, 8, sql, scale, largest)

    def static(self, depth: int) -> Drawn:
        """A number that is no quotient."""
        item = self.numeric(depth)
        return item if item.scale else self.number_leaf()

    def called(self, depth: int) -> Drawn:
        name = self.random.choice(("ABS", "LEAST", "GREATEST", "NULLIF"))
        if name == "ABS":
            item = self.static(depth)
            return number(f"ABS({item.text})", 8, f"abs({item.sql})", item.scale, item.size)
        left, right = self.static(depth), self.static(0)
        scale = lcm(left.scale, right.scale)
        sizes = left.size * (scale // left.scale), right.size * (scale // right.scale)
        ups = f"{left.sql} * {scale // left.scale}", f"{right.sql} * {scale // right.scale}"
        sql = f"{ {'LEAST': 'min', 'GREATEST': 'max', 'NULLIF': 'nullif'}[name] }({ups[0]}, {ups[1]})"
        return number(f"{name}({left.text}, {right.text})", 8, sql, scale, max(sizes))

    def rounded(self, depth: int) -> Drawn:
        name, item = self.random.choice(("FLOOR", "CEIL", "ROUND", "CEILING")), self.numeric(depth)
        value, den = item.sql, item.den
        if len(value) > 400:
            raise TooLarge  # it is repeated below
        down = f"({value} - ((({value}) % {den}) + {den}) % {den}) / {den}"
        up = f"({value} + (((-{value}) % {den}) + {den}) % {den}) / {den}"
        half = f"(sign({value}) * ((2 * abs({value}) + {den}) / (2 * {den})))"
        sql = {"FLOOR": down, "CEIL": up, "CEILING": up, "ROUND": half}[name]
        if 2 * item.size + 2 * item.den_size > LARGEST:
            raise TooLarge
        return number(f"{name}({item.text})", 8, f"({sql})", 1, item.size + 1)

    def coalesced(self, depth: int) -> Drawn:
        left, right = self.static(depth), self.static(0)
        scale = lcm(left.scale, right.scale)
        sql = f"coalesce({left.sql} * {scale // left.scale}, {right.sql} * {scale // right.scale})"
        size = max(left.size * (scale // left.scale), right.size * (scale // right.scale))
        return number(f"COALESCE({left.text}, {right.text})", 8, sql, scale, size)

    def length(self, depth: int) -> Drawn:
        del depth
        item = self.text_leaf()
        return number(f"LENGTH({item.text})", 8, f"length({item.sql})", 1, 100)

    def aggregate(self, depth: int) -> Drawn:
        name = self.random.choice(("SUM", "SUM", "COUNT", "MIN", "MAX"))
        self.lines = True
        try:
            value, where = self._line_value(name, depth), self.condition(min(depth, 1))
        finally:
            self.lines = False
        filtered = self.random.random() < 0.6
        text = f"{self.word(name)}({value.text})"
        sql = f"{name}({value.sql})"
        if filtered:
            text = f"{text} {self.word('FILTER (WHERE')} {where.text})"
            # Without a column of the lines SQLite would take COUNT(*) for an aggregate of the orders around it.
            sql = f"{sql} FILTER (WHERE l.event >= 0 AND {where.sql})"
        whole = f"(SELECT {sql} FROM lines l WHERE l.event = o.event)"  # noqa: S608 - drawn here, from known names
        return number(text, 8, whole, value.scale, value.size * 10)

    def _line_value(self, name: str, depth: int) -> Drawn:
        if name == "COUNT":
            if self.random.random() < 0.5:
                return number("*", 8, "*", 1, 10)
            field = self.random.choice([field for field in PLACES.places if field.startswith("line.")])
            return number(field, 8, column(field), 1, 10)
        for _ in range(30):
            value = self.numeric(min(depth, 1))
            if value.scale and "line." in value.text:
                return value
        return number("line.amount", 8, column("line.amount"), 100, 2_000_000)

    # How words are written

    def word(self, word: str) -> str:
        return self.random.choice((word, word, word.lower(), word.title()))


def _less(left: Drawn, right: Drawn, op: str) -> str:
    """A comparison of two numbers."""
    if left.scale and right.scale:
        scale = lcm(left.scale, right.scale)
        if max(left.size * scale, right.size * scale) > LARGEST:
            raise TooLarge
        return f"({left.sql} * {scale // left.scale} {op} {right.sql} * {scale // right.scale})"
    if max(left.size * right.den_size, right.size * left.den_size) > LARGEST:
        raise TooLarge
    return f"({left.sql} * {right.den} {op} {right.sql} * {left.den})"


# What happens ---------------------------------------------------------------------------------------------------------


def happened(random: Random, event: bool) -> Facts:
    """A purchase, or an event; every third of its facts that may be NULL is."""
    day = random.randint(FIRST_DAY, LAST_DAY)
    order: list[Any] = [None] * PLACES.order
    lines: list[list[Any]] = [] if event else [[None] * PLACES.line for _ in range(random.choice((1, 1, 2, 3, 5)))]
    for name, place in PLACES.places.items():
        if name in OF_EVENTS and not event:
            continue
        if event and name not in OF_EVENTS | OF_TIME and not name.startswith("member."):
            continue
        for values in lines if place.fact.scope == "line" else [order]:
            values[place.index] = _fact(random, name)
    order[PLACES.places["date"].index] = day
    order[PLACES.places["lines"].index] = len(lines) or None
    order[0] = 0
    for line in lines:
        line[0] = 0
    return Facts(day, order, lines)


def _fact(random: Random, name: str) -> Any:
    fact = PLACES.places[name].fact
    if fact.nullable and random.random() < 0.3:
        return None
    if fact.type == "number":
        low, high = max(fact.low or 0, -5_000), fact.high or 0
        small = random.randint(low, max(low, min(high, 12)))
        return max(low, random.choice((low, small, small, random.randint(low, max(low, min(high, 30_000))))))
    if fact.type == "text":
        return random.choice(fact.values or TEXTS)
    if fact.type == "truth":
        return random.random() < 0.5
    if fact.type == "names":
        known = CALENDAR if name == "days" else SEGMENTS
        return frozenset(one for one in known if random.random() < 0.3)
    return random.randrange(86_400) if fact.type == "time" else random.randint(FIRST_DAY, LAST_DAY)


def stored(value: Any) -> Any:
    """A fact as SQLite keeps it."""
    if isinstance(value, frozenset):
        return "".join(f"|{name}|" for name in sorted(value))
    return int(value) if isinstance(value, bool) else value


def tables(facts: Sequence[Facts]) -> tuple[list[str], list[str], list[list[Any]], list[list[Any]]]:
    """(columns of the orders, of the lines, rows of the orders, of the lines) of all that happened."""
    columns: dict[str, list[str]] = {"order": [""] * PLACES.order, "line": [""] * PLACES.line}
    for name, place in PLACES.places.items():
        columns[place.fact.scope][place.index] = name
    orders = [[number, one.day, *map(stored, one.order)] for number, one in enumerate(facts)]
    lines = [
        [number, position, *map(stored, line)]
        for number, one in enumerate(facts)
        for position, line in enumerate(one.lines)
    ]
    return columns["order"], columns["line"], orders, lines
