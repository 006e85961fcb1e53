"""A rule set as it is written: one YAML file, read into the rules it means, or refused with every mistake in its place.

This is read where rule sets are written and published, never where they are used.
"""

from collections.abc import Collection, Mapping
from typing import Final, Protocol

from msgspec import Struct
from msgspec.structs import replace

from loyalty.rules import expectations
from loyalty.rules.expectations import Expectation
from loyalty.rules.reading import NAME, Reader
from loyalty.rules.ruleset import BASE_RULE, Campaign, Day, Event, Group, Rule, RuleSet, Store
from loyalty.rules.schema import BEHIND, LINE, ORDER, layout
from loyalty.rules.single_rule import Surroundings, by_recurrence, dates, read
from loyalty.rules.tree import Type
from loyalty.rules.yaml_text import Document, Issue, Node, Unreadable
from loyalty.values import exponent

__all__ = ["Checked", "Home", "Issue", "Known", "Written", "check"]

MAX_RULES: Final = 10_000
MAX_TOTAL_CAPS: Final = 100
MAX_CAMPAIGNS: Final = 90
"""Their budgets are put in force with the rules, in one transaction of at most 100 writes."""
MAX_COST: Final = 10**9
MAX_KNOWN: Final = 100
TYPES: Final[tuple[Type, ...]] = ("number", "text", "truth", "date")
KEYS: Final = (
    "rule_set", "program", "currency", "timezone", "point_cost", "guard", "stores", "attributes", "known", "events",
    "calendar", "campaigns", "groups", "rules", "expect",
)  # fmt: skip
EVENT_KEYS: Final = ("fields", "required", "once", "streak", "activates", "cancels")
_STACKING: Final = ("sum", "best", "first", "exclusive")


class Home(Protocol):
    """The programme that a rule set is for; its policy is one (``programs.terms.Program``)."""

    @property
    def program(self) -> str: ...
    @property
    def currency(self) -> str: ...
    @property
    def timezone(self) -> str: ...


class Written(Struct, frozen=True):
    """What is known of a programme when nobody is asked: what its rule set says of it."""

    program: str
    currency: str
    timezone: str = "UTC"


class Known(Struct, frozen=True):
    """The tiers and segments that a programme has; empty where it has none of its own, or nobody was asked: then any
    may be named.
    """

    tiers: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()

    @property
    def values(self) -> Mapping[str, tuple[str, ...]]:
        """By the fields that they are values of."""
        both = {"member.tier": self.tiers, "member.segments": self.segments}
        return {name: values for name, values in both.items() if values}


class Checked(Struct, frozen=True):
    """What a file came to: its rules, None where anything is wrong, the cases it expects, and all that is wrong."""

    rules: RuleSet | None
    expectations: tuple[Expectation, ...]
    issues: tuple[Issue, ...]


def check(text: str, file: str, home: Home | None = None, known: Known | None = None) -> Checked:
    """Read a rule set. ``file`` is what issues call it; without ``home`` the file itself says its currency and zone.
    Rules and cases name no tier or segment beyond those that are ``known``, and those that the file adds to them.
    """
    try:
        document = Document(text, file)
    except Unreadable as error:
        return Checked(None, (), (error.issue,))
    reader = Reader(document)
    whole = _Whole(reader, home, known or Known())
    rules = whole.read()
    cases = expectations.read(reader, whole.top.get("expect"), rules, whole.known.values)
    issues = reader.found()
    return Checked(None if issues else rules, () if issues else cases, issues)


class _Whole:
    """One file, section by section: what rules name comes before the rules."""

    def __init__(self, reader: Reader, home: Home | None, known: Known) -> None:
        self.reader = reader
        self.top = reader.fields(
            reader.document.root, "a rule set", KEYS, ("rule_set", "program", *(() if home else ("currency",)), "rules")
        )
        self.home = self._home(home)
        self.known = self._known(known)

    def read(self) -> RuleSet:
        """All of it; with issues noted, what could be read of it."""
        reader, top = self.reader, self.top
        name = reader.text(top.get("rule_set"), "rule_set")
        cost = self._cost()
        guard = reader.fields(top.get("guard"), "guard", ("change_percent",), ("change_percent",))
        stores = self._stores()
        declared = reader.fields(top.get("attributes"), "attributes", ("member", "line"))
        member, line = (self._types(declared.get(scope), scope) for scope in ("member", "line"))
        events = self._events()
        calendar = self._calendar()
        campaigns = self._campaigns(cost)
        groups = self._groups()
        fields = {name: kind for event in events for name, kind in event.fields.items()}
        around = Surroundings(
            layout=layout(member, line, fields),
            exponent=exponent(self.home.currency),
            days=tuple(day.id for day in calendar),
            named={day.id: frozenset(day.days) for day in calendar},
            groups=tuple(group.id for group in groups),
            campaigns={campaign.id: campaign for campaign in campaigns},
            decided=frozenset(event.activates for event in events if event.activates),
            values={
                **self.known.values,
                # What only decides on the points of others earns nothing itself.
                **({"currency": (self.home.currency,)} if self.home.currency else {}),
                "event.type": tuple(event.type for event in events if not (event.activates or event.cancels)),
                **(
                    {"region": tuple(sorted(regions))} if (regions := {store.region for store in stores} - {""}) else {}
                ),
            },
        )
        rules = self._rules(around)
        base = next((place for place, rule in enumerate(rules) if rule.id == BASE_RULE), 0)
        return RuleSet(
            program=self.home.program,
            name=name,
            currency=self.home.currency,
            timezone=self.home.timezone,
            rules=rules,
            base=base,
            groups=groups,
            campaigns=campaigns,
            calendar=calendar,
            stores=stores,
            events=events,
            member_attributes=member,
            line_attributes=line,
            point_cost=cost,
            guard_percent=reader.integer(guard.get("change_percent"), "change_percent", 1, 1000),
        )

    def _home(self, home: Home | None) -> Home:
        """The programme; what the file says of it must agree."""
        reader, top = self.reader, self.top
        said = {name: reader.text(top.get(name), name) for name in ("program", "currency")}
        said["timezone"] = reader.timezone(top.get("timezone"))
        if said["currency"] and not (len(said["currency"]) == 3 and said["currency"].isupper()):
            reader.refuse(top["currency"], "RULE_VALUE_INVALID", "currency is its ISO 4217 code, such as USD")
        if home is None:
            return Written(said["program"], said["currency"], said["timezone"] or "UTC")
        for name, value in said.items():
            actual = getattr(home, name)
            if value and actual and value != actual:
                reader.refuse(
                    top[name], "RULE_PROGRAM_OTHER", f"the programme's {name} is {actual}, and not {value}", actual
                )
        return Written(home.program or said["program"], home.currency, home.timezone)

    def _known(self, known: Known) -> Known:
        """What the programme has, and what the file says is to come or is set by hand: that may be named, too."""
        reader = self.reader
        given = reader.fields(self.top.get("known"), "known", ("tiers", "segments"))
        tiers, segments = (
            tuple(reader.text(item, f"each of {name}") for item in reader.items(given.get(name), name, MAX_KNOWN))
            for name in ("tiers", "segments")
        )
        return Known(
            known.tiers and tuple(dict.fromkeys((*known.tiers, *tiers))),
            known.segments and tuple(dict.fromkeys((*known.segments, *segments))),
        )

    def _cost(self) -> tuple[int, int]:
        node = self.top.get("point_cost")
        cost = self.reader.decimal(node, "point_cost")
        if node is None or cost is None:
            return 0, 1
        if not 0 < cost[0] <= MAX_COST * cost[1]:
            self.reader.refuse(node, "RULE_VALUE_INVALID", "point_cost is above zero")
        return cost[0] * 10 ** exponent(self.home.currency), cost[1]

    def _stores(self) -> tuple[Store, ...]:
        reader, found = self.reader, []
        node = self.top.get("stores")
        if node is not None and node.kind != "mapping":
            reader.refuse(node, "RULE_VALUE_INVALID", "stores are written as number: {region: …, timezone: …}")
        for key, value in node.entries if node is not None else ():
            given = reader.fields(value, f"store {key.value}", ("region", "timezone"))
            found.append(
                Store(key.value, reader.text(given.get("region"), "region"), reader.timezone(given.get("timezone")))
            )
        return tuple(sorted(found, key=lambda store: store.id))

    def _types(self, node: Node | None, scope: str) -> Mapping[str, Type]:
        """Declared names with their types; none may be a field's that is there anyway."""
        fixed = {fact.name for fact in (*ORDER, *BEHIND, *LINE)}
        found: dict[str, Type] = {}
        for key, value in self.reader.named(node, f"{scope} attributes" if scope != "event" else "fields", NAME):
            if f"{scope}.{key.value}" in fixed:
                self.reader.refuse(key, "RULE_NAME_TAKEN", f"{scope}.{key.value} is a field of its own: choose another")
            found[key.value] = self.reader.choice(value, f"the type of {key.value}", TYPES, "text")
        return dict(sorted(found.items()))

    def _events(self) -> tuple[Event, ...]:
        reader = self.reader
        entries = reader.named(self.top.get("events"), "events", NAME)
        types = [key.value for key, _ in entries]
        deciding = {key.value for key, value in entries if value.get("activates") or value.get("cancels")}
        first: dict[str, tuple[str, Type]] = {}
        found: list[Event] = []
        for key, value in entries:
            what = f"event {key.value}"
            given = reader.fields(value, what, EVENT_KEYS)
            fields = self._types(given.get("fields"), "event")
            for name, kind in fields.items():
                other, before = first.setdefault(name, (key.value, kind))
                if before != kind:
                    message = (
                        f"{name} is {_a(before)} in {other} and {_a(kind)} here: a field has one type in all events"
                    )
                    reader.refuse(key, "RULE_TYPE", message)
            decided = {name: self._type_named(given.get(name), name, types) for name in ("activates", "cancels")}
            for name, type_ in decided.items():
                if type_ in deciding:
                    message = f"{type_} itself decides on points: it earns none that could wait"
                    reader.refuse(given[name], "RULE_VALUE_INVALID", message)
            if all(decided.values()):
                reader.refuse(given["cancels"], "RULE_VALUE_INVALID", f"{what} either activates or cancels")
            found.append(
                Event(
                    key.value,
                    fields,
                    once=self._fields_named(given.get("once"), "once", fields),
                    required=self._fields_named(given.get("required"), "required", fields),
                    streak=reader.truth(given.get("streak"), "streak"),
                    **decided,
                )
            )
        return tuple(sorted(found, key=lambda event: event.type))

    def _type_named(self, node: Node | None, what: str, types: Collection[str]) -> str:
        if node is None or node.value in types:
            return node.value if node is not None else ""
        self.reader.unknown(node, "RULE_EVENT_UNKNOWN", f"{what} names no event of this file", types)
        return ""

    def _fields_named(self, node: Node | None, what: str, fields: Collection[str]) -> tuple[str, ...]:
        found = []
        for item in self.reader.items(node, what, 20):
            if item.value in fields:
                found.append(item.value)
            else:
                self.reader.unknown(item, "RULE_FIELD_UNKNOWN", f"{what} names no field of this event", fields)
        return tuple(found)

    def _calendar(self) -> tuple[Day, ...]:
        reader, found = self.reader, []
        for key, value in reader.named(self.top.get("calendar"), "days of the calendar"):
            what = f"day {key.value}"
            given = reader.fields(value, what, ("name", "dates", "rrule", "from", "until"))
            names = reader.names(given.get("name"), key, what)
            days = dates(reader, given.get("dates"))
            if "rrule" in given:
                first, last = (reader.day(given.get(name), name) for name in ("from", "until"))
                if first is None:
                    reader.refuse(value, "RULE_KEY_MISSING", f"{what} recurs: say from when (from)")
                else:
                    days += by_recurrence(reader, given["rrule"], first, last)
            elif not given.keys() & {"dates"}:
                reader.refuse(value, "RULE_KEY_MISSING", f"{what} needs dates, or a recurrence (rrule)")
            found.append(Day(key.value, names, tuple(sorted(set(days)))))
        return tuple(sorted(found, key=lambda day: day.id))

    def _campaigns(self, cost: tuple[int, int]) -> tuple[Campaign, ...]:
        reader, found = self.reader, []
        for key, value in reader.named(self.top.get("campaigns"), "campaigns", most=MAX_CAMPAIGNS):
            what = f"campaign {key.value}"
            given = reader.fields(value, what, ("points", "amount", "currency"))
            points = reader.integer(given.get("points"), "points", 1, 10**12)
            money = 0
            if "points" in given and "amount" in given:
                reader.refuse(given["amount"], "RULE_VALUE_INVALID", f"{what} has a budget in points or in money")
            elif "amount" in given:
                money = self._budget(given, what, cost)
                points = money * cost[1] // cost[0] if cost[0] else 0
                if money and cost[0] and not points:
                    reader.refuse(given["amount"], "RULE_VALUE_INVALID", f"{what} does not pay for one point")
            elif "points" not in given:
                reader.refuse(value, "RULE_KEY_MISSING", f"{what} needs points, or amount and currency")
            found.append(Campaign(key.value, points, money))
        return tuple(sorted(found, key=lambda campaign: campaign.id))

    def _budget(self, given: Mapping[str, Node], what: str, cost: tuple[int, int]) -> int:
        """Minor units of a budget that is written as money."""
        reader, amount = self.reader, given["amount"]
        currency = reader.text(given.get("currency"), "currency")
        if "currency" not in given:
            message = f"{what} has a budget in money: say in which currency"
            reader.refuse(amount, "RULE_BUDGET_CURRENCY", message, self.home.currency)
        elif currency != self.home.currency:
            message = f"the programme's currency is {self.home.currency}, and not {currency}"
            reader.refuse(given["currency"], "RULE_BUDGET_CURRENCY", message, self.home.currency)
        if not cost[0]:
            message = f"{what} has a budget in money: say what a point costs (point_cost, at the top)"
            reader.refuse(amount, "RULE_BUDGET_CURRENCY", message)
        units = reader.decimal(amount, "amount", exponent(self.home.currency))
        return units[0] if units else 0

    def _groups(self) -> tuple[Group, ...]:
        reader = self.reader
        entries = reader.named(self.top.get("groups"), "groups")
        ids = [key.value for key, _ in entries]
        found: dict[str, Group] = {}
        within: dict[str, Node] = {}
        for key, value in entries:
            given = reader.fields(value, f"group {key.value}", ("stacking", "within", "priority"), ("stacking",))
            outer = given.get("within")
            if outer is not None and outer.value not in ids:
                reader.unknown(outer, "RULE_GROUP_UNKNOWN", f"there is no group {outer.value}", ids)
            elif outer is not None:
                within[key.value] = outer
            found[key.value] = Group(
                key.value,
                reader.choice(given.get("stacking"), "stacking", _STACKING, "sum"),
                outer.value if outer is not None else "",
                reader.integer(given.get("priority"), "priority", -1000, 1000),
            )
        for circle in _circles({name: node.value for name, node in within.items()}):
            message = f"groups stand within each other in a circle: {' → '.join((*circle, circle[0]))}"
            reader.refuse(within[circle[0]], "RULE_GROUP_CIRCULAR", message)
        return tuple(group for _, group in sorted(found.items()))

    def _rules(self, around: Surroundings) -> tuple[Rule, ...]:
        reader = self.reader
        nodes = reader.items(self.top.get("rules"), "rules", MAX_RULES)
        is_base = [node.kind == "mapping" and _id(node) == BASE_RULE for node in nodes]
        found: dict[str, Rule] = {}
        ids: dict[str, int] = {}
        for_good = 0
        # The base first: what the others say of `base` has its scale.
        for node in sorted(nodes, key=lambda one: _id(one) != BASE_RULE):
            if around.base_scale is None and _id(node) != BASE_RULE:
                around = replace(around, base_scale=1)
            if reader.hopeless:
                break
            rule = read(reader, node, around)
            if not rule.id:
                continue
            if rule.id in ids:
                message = f"rule {rule.id} is on line {ids[rule.id]} already"
                reader.refuse(node.get("id") or node, "RULE_ID_DUPLICATE", message)
                continue
            ids[rule.id] = node.at.line
            found[rule.id] = rule
            for_good += any(cap.period == "total" for cap in rule.caps)
            if for_good == MAX_TOTAL_CAPS + 1 and any(cap.period == "total" for cap in rule.caps):
                message = (
                    f"at most {MAX_TOTAL_CAPS} rules have a cap per total: every member's account counts them for good"
                )
                reader.refuse(node.get("cap") or node, "RULE_VALUE_INVALID", message)
            if rule.id == BASE_RULE:
                around = replace(around, base_scale=rule.scale)
        if "rules" in self.top and not any(is_base):
            message = (
                "the rule base is missing: what everybody earns on each line, such as {id: base, earn: line.amount}"
            )
            reader.refuse(self.top["rules"], "RULE_BASE_MISSING", message)
        return tuple(rule for _, rule in sorted(found.items()))


def _id(node: Node) -> str:
    found = node.get("id")
    return found.value if found is not None else ""


def _a(kind: str) -> str:
    return f"a {kind}"


def _circles(within: Mapping[str, str]) -> list[tuple[str, ...]]:
    """Each circle once, beginning with its first name."""
    found: list[tuple[str, ...]] = []
    seen: set[str] = set()
    for name in within:
        path: dict[str, int] = {}
        at = name
        while at in within and at not in seen:
            seen.add(at)
            path[at] = len(path)
            at = within[at]
        if at in path:
            circle = list(path)[path[at] :]
            first = circle.index(min(circle))
            found.append((*circle[first:], *circle[:first]))
    return sorted(found)
