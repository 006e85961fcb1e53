"""Campaigns as they are written: one YAML file with their texts, read into what they mean, or refused with every
mistake in its place.

This is read where campaigns are handed in and checked; carrying them out goes by what came of it alone.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Final

from msgspec import Struct, to_builtins
from msgspec.structs import replace

from loyalty.campaigns import expectations, offers, words
from loyalty.campaigns.campaign import (
    DEFAULT_CONTROL,
    ENTERS,
    METRICS,
    OCCASIONS,
    TOLD,
    WHOLE,
    Audience,
    Budget,
    Calendar,
    Campaign,
    Enter,
    Metric,
    Offer,
    Repeat,
    Span,
    Step,
    Stops,
    Variant,
    fields,
    layout,
)
from loyalty.campaigns.expectations import Case
from loyalty.contacts.preferences import CHANNELS
from loyalty.rules import language
from loyalty.rules.document import TYPES, Home, Written
from loyalty.rules.reading import IDENTIFIER, NAME, Reader
from loyalty.rules.satisfiable import verdict
from loyalty.rules.schema import Layout
from loyalty.rules.tree import Node, Type
from loyalty.rules.yaml_text import Document, Issue, Unreadable
from loyalty.rules.yaml_text import Node as Text
from loyalty.segments.facts import FACTS
from loyalty.templates import document as templates
from loyalty.templates.template import Template, Variable
from loyalty.templates.values import address, has_room, units
from loyalty.values import MAX_POINTS, exponent

__all__ = ["Case", "Checked", "Home", "Issue", "Written", "check"]

MAX_CAMPAIGNS: Final = 50
MAX_STEPS: Final = 30
MAX_DAYS: Final = 730
MAX_VARIANTS: Final = 5
MAX_EXCEPTED: Final = 50
MAX_CATEGORIES: Final = 20
MAX_COST: Final = 10**9
MILLE: Final = 1_000
TRIED_DAY: Final = date(2030, 1, 1).toordinal()
"""A day like any other, for what is said of an offer that may be given on any."""
SHARES: Final = ("repurchase", "redemption")
"""Metrics that are shares of the members; the others are money for each."""
FIRST_HOUR: Final = 0
LAST_HOUR: Final = 23
KEYS: Final = (
    "program", "currency", "timezone", "point_cost", "attributes", "categories", "templates", "campaigns", "expect",
)  # fmt: skip
CAMPAIGN_KEYS: Final = (
    "name", "goal", "metric", "window_days", "audience", "repeat", "control", "no_control", "salt", "variants",
    "steps", "budget", "calendar", "channels", "priority", "stop", "service", "margin", "smallest",
)  # fmt: skip
STEP_KEYS: Final = ("day", "when", "message", "offer", "within", "silent", "with")
_REASON: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f]{3,200}")
_VALUE: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f]{1,500}")
_PERCENT_PLACES: Final = 2
_OF_ENTRY: Final = "entry."


class Known(Struct, frozen=True):
    """What the programme has that a file may name; None where nobody was asked."""

    segments: tuple[str, ...] | None = None


class Checked(Struct, frozen=True):
    """What a file came to: its campaigns, none where anything is wrong, the cases it expects, all that is wrong, and
    what may well be meant so and deserves a second look.
    """

    campaigns: tuple[Campaign, ...]
    cases: tuple[Case, ...]
    issues: tuple[Issue, ...]
    warnings: tuple[Issue, ...] = ()

    @property
    def sound(self) -> bool:
        return not self.issues


def check(text: str, file: str, home: Home | None = None, known: Known | None = None) -> Checked:
    """Read a file. Without ``home`` the file itself says its programme, currency and zone."""
    try:
        document = Document(text, file)
    except Unreadable as error:
        return Checked((), (), (error.issue,))
    reader = Reader(document)
    whole = _Whole(reader, home, known or Known())
    campaigns = whole.read()
    cases = expectations.read(reader, whole.top.get("expect"), {one.id: one for one in campaigns})
    issues = reader.found()
    warnings = tuple(sorted(set(whole.warnings), key=lambda one: (one.line, one.column)))
    return Checked(() if issues else campaigns, () if issues else cases, issues, warnings)


class _Whole:
    """One file, section by section: what campaigns name comes before them."""

    def __init__(self, reader: Reader, home: Home | None, known: Known) -> None:
        self.reader = reader
        self.known = known
        self.warnings: list[Issue] = []
        needed = ("program", *(() if home else ("currency",)), "campaigns")
        self.top = reader.fields(reader.document.root, "a file of campaigns", KEYS, needed)
        self.home = self._home(home)
        self.places = exponent(self.home.currency)
        self.attributes = self._attributes()
        named = reader.items(self.top.get("categories"), "categories", MAX_CATEGORIES)
        self.categories = tuple(sorted({reader.text(item, "a category", NAME) for item in named}))
        self.layout = layout(self.attributes, self.categories)
        self.cost = self._cost()
        self.templates: dict[str, Template] = templates.read(reader, self.top.get("templates"), self.home.currency)
        self.used: set[str] = set()

    def read(self) -> tuple[Campaign, ...]:
        """All of it; with issues noted, what could be read of it."""
        entries = self.reader.named(self.top.get("campaigns"), "campaigns", most=MAX_CAMPAIGNS)
        found = [one for key, value in entries if (one := _One(self, key, value).read()) is not None]
        node = self.top.get("templates")
        for key, _ in node.entries if node is not None else ():
            if key.value in self.templates and key.value not in self.used:
                self.warn(key, "CAMPAIGN_TEMPLATE_UNUSED", f"no step says {key.value}")
        return tuple(sorted(found, key=lambda one: one.id))

    def warn(self, node: Text, code: str, message: str) -> None:
        """Note something that may well be meant so."""
        self.warnings.append(Issue(self.reader.document.file, node.at.line, node.at.column, code, message))

    def _home(self, home: Home | None) -> Written:
        reader, top = self.reader, self.top
        said = {name: reader.text(top.get(name), name) for name in ("program", "currency")}
        said["timezone"] = reader.timezone(top.get("timezone"))
        if said["currency"] and not (len(said["currency"]) == 3 and said["currency"].isupper()):
            reader.refuse(top["currency"], "RULE_VALUE_INVALID", "currency is its ISO 4217 code, such as USD")
        if home is None:
            return Written(said["program"], said["currency"], said["timezone"] or "UTC")
        for name, value in said.items():
            actual = getattr(home, name)
            if value and value != actual:
                message = f"the programme's {name} is {actual}, and not {value}"
                reader.refuse(top[name], "RULE_PROGRAM_OTHER", message, actual)
        return Written(home.program, home.currency, home.timezone)

    def _attributes(self) -> dict[str, Type]:
        taken = {fact.name for fact in FACTS}
        found: dict[str, Type] = {}
        for key, value in self.reader.named(self.top.get("attributes"), "attributes", NAME):
            if f"member.{key.value}" in taken:
                message = f"member.{key.value} is a field of its own: choose another"
                self.reader.refuse(key, "RULE_NAME_TAKEN", message)
            found[key.value] = self.reader.choice(value, f"the type of {key.value}", TYPES, "text")
        return dict(sorted(found.items()))

    def _cost(self) -> tuple[int, int]:
        """What a point costs: (minor units, of so many points); (0, 1) where nothing is said."""
        node = self.top.get("point_cost")
        cost = self.reader.decimal(node, "point_cost")
        if node is None or cost is None:
            return 0, 1
        if not 0 < cost[0] <= MAX_COST * cost[1]:
            self.reader.refuse(node, "RULE_VALUE_INVALID", "point_cost is above zero")
        return cost[0] * 10**self.places, cost[1]


class _One:
    """One campaign."""

    def __init__(self, whole: _Whole, key: Text, value: Text) -> None:
        self.whole = whole
        self.reader = whole.reader
        self.key = key
        self.what = f"campaign {key.value}"
        self.value = value
        needed = ("name", "goal", "metric", "window_days", "audience", "steps", "channels")
        self.given = self.reader.fields(value, self.what, CAMPAIGN_KEYS, needed)

    def read(self) -> Campaign | None:
        """The campaign; None when it is nothing that one could go on with."""
        reader, given = self.reader, self.given
        if self.value.kind != "mapping":
            return None
        names = reader.names(given.get("name"), self.key, self.what)
        goal = reader.names(given.get("goal"), self.key, f"the goal of {self.what}")
        metric = reader.choice(given.get("metric"), "metric", METRICS, "repurchase")
        window = reader.integer(given.get("window_days"), "window_days", 1, 365, 30)
        service = reader.truth(given.get("service"), "service")
        audience = self._audience()
        repeat, repeat_days = self._repeat(audience)
        calendar = self._calendar(audience)
        variants = self._variants()
        channels = self._channels()
        stops = self._stops()
        shell = Campaign(
            id=self.key.value,
            program=self.whole.home.program,
            currency=self.whole.home.currency,
            names=names,
            goal=goal,
            metric=metric,
            window_days=window,
            audience=audience,
            steps=(),
            timezone=self.whole.home.timezone,
            repeat=repeat,
            repeat_days=repeat_days,
            control=self._control(service),
            salt=reader.text(given.get("salt"), "salt", IDENTIFIER),
            variants=variants,
            calendar=calendar,
            channels=channels,
            priority=reader.integer(given.get("priority"), "priority", 0, 100, 50),
            stops=stops,
            service=service,
            attributes=self.whole.attributes,
            categories=self.whole.categories,
            margin_permille=self._margin(metric),
            smallest=self._smallest(metric),
            point_cost=self.whole.cost[0] * 1000 // self.whole.cost[1],
        )
        steps, said = _Steps(self, shell).read()
        texts = {name: self.whole.templates[name] for name in sorted(said)}
        return replace(shell, steps=steps, templates=texts, budget=self._budget(steps))

    def _audience(self) -> Audience:
        reader = self.reader
        keys = ("enter", "segment", "when")
        node = self.given.get("audience")
        given = reader.fields(node, "audience", keys)
        enter: Enter = ""
        if "enter" in given:
            enter = reader.choice(given["enter"], "enter", ENTERS, ENTERS[0])
        segment = reader.text(given.get("segment"), "segment", IDENTIFIER)
        known = self.whole.known.segments
        if segment and known is not None and segment not in known:
            reader.unknown(given["segment"], "CAMPAIGN_SEGMENT_UNKNOWN", f"there is no segment {segment}", known)
        if node is not None and node.kind == "mapping" and not given:
            reader.refuse(node, "RULE_KEY_MISSING", f"audience needs one of {', '.join(keys)}")
        if enter == "segment.entered" and not segment:
            reader.refuse(given["enter"], "RULE_KEY_MISSING", "segment.entered: say which segment (segment: …)")
        tree = self.condition(given.get("when"), enter, ("journey.",))
        return Audience(enter, segment, tree, given["when"].value if tree is not None else "")

    def condition(self, node: Text | None, enter: Enter, without: Sequence[str] = ()) -> Node | None:
        """A condition over the facts of campaigns, those left out that begin like one of ``without``, or that the way
        in does not tell of.
        """
        reader = self.reader
        if node is None:
            return None
        found = parsed(reader, node, self.whole.layout, self.whole.places)
        if found is None:
            return None
        for name in sorted(fields(to_builtins(found))):
            if name.startswith(tuple(without)):
                message = f"{name} is not known before the member has come in"
                reader.refuse(node, "RULE_FIELD_UNKNOWN", message, offset=max(node.value.find(name), 0))
            elif name.startswith(_OF_ENTRY) and name not in TOLD[enter]:
                message = f"{name} is not told by {enter or 'a start for all at once'}"
                reader.refuse(node, "RULE_FIELD_UNKNOWN", message, offset=max(node.value.find(name), 0))
        judged = verdict(found, self.whole.layout, "event")
        if judged == "never":
            reader.refuse(node, "RULE_NEVER_TRUE", "this can never be true: nobody would ever get it")
        elif judged == "always":
            reader.refuse(node, "RULE_ALWAYS_TRUE", "this is always true: leave `when` out")
        return found

    def _repeat(self, audience: Audience) -> tuple[Repeat, int]:
        reader, node = self.reader, self.given.get("repeat")
        kind: Repeat = "once"
        days = 0
        if node is not None and node.kind == "mapping":
            given = reader.fields(node, "repeat", ("after_days",), ("after_days",))
            kind, days = "after_days", reader.integer(given.get("after_days"), "after_days", 1, 3_650, 1)
        elif node is not None:
            simple: tuple[Repeat, ...] = ("once", "yearly")
            kind = reader.choice(node, "repeat", simple, "once")
        if audience.enter in OCCASIONS and kind != "yearly":
            at = node or self.given["audience"]
            message = f"a{'n' if audience.enter == 'anniversary' else ''} {audience.enter} comes every year"
            reader.refuse(at, "CAMPAIGN_REPEAT", f"{message}: write repeat: yearly", "yearly")
        if audience.frozen and node is not None and kind != "once":
            message = "everybody is taken on the day it begins, and that is once: leave repeat out, or say enter"
            reader.refuse(node, "CAMPAIGN_REPEAT", message, "once")
        return kind, days

    def _calendar(self, audience: Audience) -> Calendar:
        reader, node = self.reader, self.given.get("calendar")
        given = reader.fields(node, "calendar", ("from", "until", "hour", "except"))
        first, last = (reader.day(given.get(name), name) or 0 for name in ("from", "until"))
        hour = reader.integer(given.get("hour"), "hour", FIRST_HOUR, LAST_HOUR, -1)
        if first and last and last < first:
            message = f"this ends before it begins, on {date.fromordinal(first)}"
            reader.refuse(given["until"], "CAMPAIGN_CALENDAR", message)
        if audience.frozen and not first:
            message = f"{self.what} takes everybody on one day: say which (calendar: {{from: …}})"
            reader.refuse(node or self.key, "CAMPAIGN_CALENDAR", message)
        excepted: list[Span] = []
        for item in reader.items(given.get("except"), "except", MAX_EXCEPTED):
            one = reader.fields(item, "an exception", ("from", "until"), ("from", "until"))
            begin, end = (reader.day(one.get(name), name) for name in ("from", "until"))
            if begin is None or end is None:
                continue
            if end < begin:
                reader.refuse(one["until"], "CAMPAIGN_CALENDAR", "this ends before it begins")
            elif any(span.first <= end and begin <= span.last for span in excepted):
                reader.refuse(item, "CAMPAIGN_CALENDAR", "this overlaps with an exception before")
            else:
                excepted.append(Span(begin, end))
        spans = _joined(excepted)
        if first and last and any(span.first <= first and last <= span.last for span in spans):
            reader.refuse(given["except"], "CAMPAIGN_CALENDAR", "this leaves no day of the campaign")
        return Calendar(first, last, hour, spans)

    def _control(self, service: bool) -> int:
        reader, node, why = self.reader, self.given.get("control"), self.given.get("no_control")
        if why is not None:
            reader.text(why, "no_control", _REASON, "the reason why nobody is kept out, in one line")
        if service:
            if node is not None and self._percent(node, "control"):
                message = "what is owed to everybody (service) keeps nobody out: leave control out"
                reader.refuse(node, "CAMPAIGN_CONTROL", message, "0")
            return 0
        share = DEFAULT_CONTROL if node is None else self._percent(node, "control")
        if share >= WHOLE // 2 + 1 and node is not None:
            reader.refuse(node, "CAMPAIGN_CONTROL", "control is at most 50: more would be kept out than are told")
        if not share and why is None and node is not None:
            message = "without a control group nobody can say what the campaign did: say why (no_control: …)"
            self.whole.warn(node, "CAMPAIGN_CONTROL", message)
        return share

    def _percent(self, node: Text, what: str) -> int:
        """Hundredths of a percent, from 0 to all of it."""
        found = self.reader.decimal(_without_sign(node), what, _PERCENT_PLACES)
        if found is not None and found[0] > WHOLE:
            self.reader.refuse(node, "RULE_VALUE_INVALID", f"{what} is a percentage, from 0 to 100")
        return found[0] if found is not None else 0

    def _margin(self, metric: Metric) -> int | None:
        """What is earned of a spend, in thousandths."""
        reader, node = self.reader, self.given.get("margin")
        if node is None and metric == "margin":
            message = "what is earned of a spend is not said: write margin, in percent"
            reader.refuse(self.given["metric"], "CAMPAIGN_MARGIN", message)
        found = self._written_percent(node, "margin", 1)
        return None if found is None else found[0] * MILLE // (100 * found[1])

    def _smallest(self, metric: Metric) -> float:
        """The smallest difference worth knowing, as experiments take it."""
        node = self.given.get("smallest")
        if metric in SHARES:
            found = self._written_percent(node, "smallest", _PERCENT_PLACES)
            return 0.0 if found is None else found[0] / (100 * found[1])
        money = self.reader.decimal(node, "smallest", self.whole.places)
        return 0.0 if money is None else float(money[0])

    def _written_percent(self, node: Text | None, what: str, places: int) -> tuple[int, int] | None:
        """A percentage, with or without its sign; (units of the last place, how many of them make one)."""
        if node is None:
            return None
        found = self.reader.decimal(_without_sign(node), what, places)
        if found is not None and not 0 < found[0] <= 100 * found[1]:
            self.reader.refuse(node, "RULE_VALUE_INVALID", f"{what} is a percentage, above 0 and at most 100")
            return None
        return found

    def _variants(self) -> tuple[Variant, ...]:
        reader, node = self.reader, self.given.get("variants")
        entries = reader.named(node, "variants", most=MAX_VARIANTS)
        found = tuple(Variant(key.value, self._percent(value, f"the share of {key.value}")) for key, value in entries)
        for key, value in entries:
            if key.value in ("control", "holdout", "treated"):
                reader.refuse(key, "RULE_NAME_TAKEN", f"{key.value} is the name of a group: choose another")
            if value.value.rstrip("%0. ") == "" and value.value:
                reader.refuse(value, "CAMPAIGN_SHARES", f"nobody would ever get {key.value}")
        if node is not None and len(found) == 1:
            reader.refuse(node, "CAMPAIGN_SHARES", "one variant is none: name at least two, or leave variants out")
        elif found and all(one.share for one in found) and sum(one.share for one in found) != WHOLE:
            total = sum(one.share for one in found)
            written = f"{total // 100}.{total % 100:02d}".rstrip("0").rstrip(".")
            reader.refuse(node or self.key, "CAMPAIGN_SHARES", f"the shares come to {written} %, and not to 100 %")
        return found

    def _channels(self) -> tuple[str, ...]:
        reader, found = self.reader, []
        node = self.given.get("channels")
        for item in reader.items(node, "channels", len(CHANNELS)):
            if item.value not in CHANNELS:
                reader.unknown(item, "CAMPAIGN_CHANNEL_UNKNOWN", f"there is no channel {item.value}", CHANNELS)
            elif item.value in found:
                reader.refuse(item, "RULE_VALUE_INVALID", f"{item.value} stands here twice")
            else:
                found.append(item.value)
        return tuple(found)

    def _stops(self) -> Stops:
        reader = self.reader
        given = reader.fields(self.given.get("stop"), "stop", ("purchased", "budget", "harm"))
        usual = Stops()
        return Stops(
            **{
                name: reader.truth(given[name], name) if name in given else getattr(usual, name)
                for name in ("purchased", "budget", "harm")
            }
        )

    def _budget(self, steps: Sequence[Step]) -> Budget | None:
        reader, node = self.reader, self.given.get("budget")
        dearest = max((offers.points(step.offer) for step in steps), default=0)
        if node is None:
            if dearest:
                message = f"{self.what} gives points, and no budget bounds them (budget: {{points: …}})"
                self.whole.warn(self.key, "CAMPAIGN_BUDGET", message)
            return None
        given = reader.fields(node, "budget", ("points", "amount", "currency"))
        points, money = reader.integer(given.get("points"), "points", 1, MAX_POINTS), 0
        cost = self.whole.cost
        if "points" in given and "amount" in given:
            reader.refuse(given["amount"], "CAMPAIGN_BUDGET", "a budget is in points or in money")
        elif "amount" in given:
            money = self._money(given)
            points = money * cost[1] // cost[0] if cost[0] else 0
        elif "points" not in given:
            reader.refuse(node, "RULE_KEY_MISSING", "budget needs points, or amount and currency")
        if (dearest and 0 < points < dearest) or (money and cost[0] and not points):
            message = f"the budget of {points:,} points does not pay for one offer of {dearest:,}"
            reader.refuse(given.get("points") or given.get("amount") or node, "CAMPAIGN_BUDGET", message)
        if not dearest and node.kind == "mapping":
            reader.refuse(node, "CAMPAIGN_BUDGET", "no step gives points: leave the budget out")
        return Budget(points, money) if points else None

    def _money(self, given: Mapping[str, Text]) -> int:
        """Minor units of a budget that is written as money."""
        reader, home, amount = self.reader, self.whole.home, given["amount"]
        currency = reader.text(given.get("currency"), "currency")
        if "currency" not in given:
            message = "a budget in money: say in which currency"
            reader.refuse(amount, "CAMPAIGN_BUDGET", message, home.currency)
        elif currency != home.currency:
            message = f"the programme's currency is {home.currency}, and not {currency}"
            reader.refuse(given["currency"], "CAMPAIGN_BUDGET", message, home.currency)
        if not self.whole.cost[0]:
            message = "a budget in money: say what a point costs (point_cost, at the top)"
            reader.refuse(amount, "CAMPAIGN_BUDGET", message)
        units = reader.decimal(amount, "amount", self.whole.places)
        return units[0] if units else 0


class _Steps:
    """The steps of one campaign."""

    def __init__(self, one: _One, shell: Campaign) -> None:
        self.one = one
        self.whole = one.whole
        self.reader = one.reader
        self.campaign = shell
        self.said: set[str] = set()
        self.content: dict[object, str] = {}

    def read(self) -> tuple[tuple[Step, ...], set[str]]:
        """The steps, in the order of their days, and the names of all texts they say."""
        reader, node = self.reader, self.one.given.get("steps")
        entries = reader.named(node, "steps", most=MAX_STEPS)
        found = [(key, value, step) for key, value in entries if (step := self._step(key, value)) is not None]
        if node is not None and node.kind == "mapping" and not node.entries:
            reader.refuse(node, "RULE_KEY_MISSING", f"{self.one.what} needs at least one step")
        found.sort(key=lambda one: one[2].day)
        spoken = offered = False
        ended: dict[int, str] = {}
        for at, (key, value, step) in enumerate(found):
            earlier = [one for _, _, one in found[:at] if one.day < step.day]
            spoken = any(one.templates for one in earlier)
            offered = any(one.offer for one in earlier)
            self._reached(key, value, step, ended, spoken=spoken, offered=offered)
            if step.when is None:
                ended.setdefault(step.day, step.id)
        return tuple(step for _, _, step in found), self.said

    def _step(self, key: Text, value: Text) -> Step | None:
        reader, what = self.reader, f"step {key.value}"
        given = reader.fields(value, what, STEP_KEYS, ("day",))
        if value.kind != "mapping":
            return None
        tree = self.one.condition(given.get("when"), self.campaign.audience.enter)
        step = Step(
            id=key.value,
            day=reader.integer(given.get("day"), "day", 0, MAX_DAYS),
            when=tree,
            text=given["when"].value if tree is not None else "",
            offer=self._offer(given.get("offer")),
            templates=self._messages(given.get("message")),
            within=reader.integer(given.get("within"), "within", 0, MAX_DAYS, -1),
            silent=reader.truth(given.get("silent"), "silent"),
            fixed=self._fixed(given.get("with")),
        )
        if not step.offer and not step.templates and "message" not in given and "offer" not in given:
            reader.refuse(value, "RULE_KEY_MISSING", f"{what} needs a message or an offer")
        if step.silent and not step.offer:
            reader.refuse(given["silent"], "RULE_VALUE_INVALID", f"{what} gives nothing that could be given silently")
        if step.offer and self.campaign.service:
            message = "what comes with an offer is advertising, and no service: leave the offer out, or service"
            reader.refuse(given["offer"], "CAMPAIGN_SERVICE", message)
        for variant, name in step.templates.items():
            self._fits(step, variant, name, given)
        self._same(key, step)
        return step

    def _offer(self, node: Text | None) -> Offer | None:
        reader = self.reader
        if node is None:
            return None
        every = sorted({name for kind in offers.KINDS.values() for name in kind.numbers})
        given = reader.fields(node, "offer", every)
        kinds = [name for name in offers.KINDS if name in given]
        if len(kinds) != 1:
            if node.kind == "mapping":
                message = f"an offer is one of {', '.join(f'{name}: …' for name in offers.KINDS)}"
                reader.refuse(node, "RULE_KEY_MISSING", message)
            return None
        kind = offers.KINDS[kinds[0]]
        numbers: dict[str, int] = {}
        for name, number in kind.numbers.items():
            if name not in given:
                if number.required:
                    reader.refuse(node, "RULE_KEY_MISSING", f"an offer of {kinds[0]} needs {name}")
                continue
            if number.scale == 1:
                numbers[name] = reader.integer(given[name], name, number.low, number.high, number.low)
                continue
            found = reader.decimal(given[name], name, len(str(number.scale)) - 1)
            if found is not None and number.low * number.scale < found[0] <= number.high * number.scale:
                numbers[name] = found[0]
            elif found is not None:
                message = f"{name} is above {number.low} and at most {number.high}"
                reader.refuse(given[name], "RULE_VALUE_INVALID", message)
        for name in given:
            if name not in kind.numbers:
                reader.refuse(given[name], "RULE_KEY_UNKNOWN", f"an offer of {kinds[0]} has no {name}")
        complete = all(name in numbers for name, number in kind.numbers.items() if number.required)
        return Offer(kinds[0], numbers) if complete else None

    def _messages(self, node: Text | None) -> dict[str, str]:
        """Names of texts, by variant."""
        reader, variants = self.reader, [one.id for one in self.campaign.variants]
        if node is None:
            return {}
        if node.kind == "text":
            return {"": node.value} if self._known(node) else {}
        found: dict[str, str] = {}
        for key, value in reader.named(node, "messages by variant", most=MAX_VARIANTS):
            if key.value not in variants:
                reader.unknown(key, "CAMPAIGN_VARIANT_UNKNOWN", f"there is no variant {key.value}", variants)
            elif self._known(value):
                found[key.value] = value.value
        missing = [name for name in variants if node.kind == "mapping" and node.get(name) is None]
        if missing:
            message = f"{', '.join(missing)} would get no message: name one for each variant"
            reader.refuse(node, "RULE_KEY_MISSING", message)
        return found

    def _known(self, node: Text) -> bool:
        known = self.whole.templates
        if node.value in known:
            self.said.add(node.value)
            self.whole.used.add(node.value)
            return True
        top = self.whole.top.get("templates")
        written = [key.value for key, _ in top.entries] if top is not None else []
        # One that is there and wrong has been told of already.
        if node.value not in written:
            message = f"there is no template {node.value}"
            self.reader.unknown(node, "CAMPAIGN_TEMPLATE_UNKNOWN", message, written)
        return False

    def _fixed(self, node: Text | None) -> dict[str, str]:
        entries = self.reader.named(node, "variables", NAME)
        return {key.value: self.reader.text(value, key.value, _VALUE, "one line") for key, value in entries}

    def _fits(self, step: Step, variant: str, name: str, given: Mapping[str, Text]) -> None:
        """Whether the campaign can fill in a text, and whether it can ever go out."""
        reader, template, node = self.reader, self.whole.templates[name], given["message"]
        at = node if node.kind == "text" else node.get(variant) or node
        if self.campaign.channels and not set(template.channels) & set(self.campaign.channels):
            message = f"{name} has a text for {', '.join(template.channels)}, and the campaign uses none of them"
            reader.refuse(at, "CAMPAIGN_CHANNEL_UNKNOWN", message)
        channels = self.one.given.get("channels")
        if channels is not None and channels.kind == "list" and not channels.items:
            message = f"{self.one.what} says something, and names no channel to say it on"
            reader.refuse(channels, "CAMPAIGN_CHANNEL_UNKNOWN", message)
        if template.service and not self.campaign.service:
            message = f"{name} is a service message, without a way to unsubscribe: this campaign is advertising"
            reader.refuse(at, "CAMPAIGN_SERVICE", message)
        if self.campaign.service and not template.service:
            message = f"{name} is advertising: what a service campaign says is marked service: true"
            reader.refuse(at, "CAMPAIGN_SERVICE", message)
        known = words.variables(self.campaign, step)
        offered = offers.values(step.offer, self.campaign.calendar.first or TRIED_DAY)
        for variable in template.variables:
            if variable.name in step.fixed:
                self._written(step, variable, given["with"])
            elif variable.name in offered and not has_room(variable, offered[variable.name]):
                said = f"{name} has room for {variable.name} up to {variable.most:,}, and this is more"
                reader.refuse(given["offer"], "RULE_VALUE_INVALID", said)
            elif variable.name not in known:
                message = f"{name} says {variable.name}, which nothing fills in here"
                reader.refuse(at, "CAMPAIGN_VARIABLE_UNKNOWN", message, reader.meant(variable.name, known))
            elif not _alike(known[variable.name], variable.type):
                message = f"{variable.name} is {known[variable.name]} here, and {variable.type} in {name}"
                reader.refuse(at, "CAMPAIGN_VARIABLE_UNKNOWN", message)
        for key in step.fixed:
            if key not in {one.name for each in step.templates.values() for one in self._variables(each)}:
                place = next((one for one, _ in given["with"].entries if one.value == key), given["with"])
                reader.refuse(place, "CAMPAIGN_VARIABLE_UNKNOWN", f"no text of the step says {key}")

    def _variables(self, name: str) -> tuple[Variable, ...]:
        return self.whole.templates[name].variables

    def _written(self, step: Step, variable: Variable, node: Text) -> None:
        """Whether a value that stands in the file is one of its type, and the template has room for it."""
        reader, name, value = self.reader, variable.name, node.get(variable.name)
        if value is None:
            return
        if variable.type == "date":
            reader.day(value, name)
        elif variable.type in ("number", "points", "money"):
            reader.integer(value, name, 0, variable.most)
        elif variable.type == "text" and units(step.fixed[name]) > variable.most:
            reader.refuse(
                value, "RULE_VALUE_INVALID", f"{name} has {variable.most:,} characters in its template at most"
            )
        elif variable.type == "link" and not address(step.fixed[name]):
            message = f"{name} is an address that begins with https://, without blanks, quotes and signs beyond ASCII"
            spelt = "".join(one if address(f"https://a/{one}") else _percent(one) for one in step.fixed[name])
            reader.refuse(value, "RULE_VALUE_INVALID", message, spelt if address(spelt) else "")

    def _same(self, key: Text, step: Step) -> None:
        """A member is never told the same thing twice; so a step that says what another said would never go out."""
        for variant, name in step.templates.items():
            content = (variant, name, str(step.offer), str(sorted(step.fixed.items())))
            other = self.content.setdefault(content, f"{step.id}@{step.day}")
            before, _, day = other.rpartition("@")
            if before != step.id and day != str(step.day):
                message = f"step {step.id} says and gives what {before} does, and the same is never said twice"
                self.reader.refuse(key, "CAMPAIGN_STEP_UNREACHABLE", message)

    def _reached(
        self, key: Text, value: Text, step: Step, ended: Mapping[int, str], *, spoken: bool, offered: bool
    ) -> None:
        """Refuses a step that nobody can ever come to."""
        reader, campaign, calendar = self.reader, self.campaign, self.campaign.calendar
        if step.day in ended:
            message = f"step {step.id} is never reached: {ended[step.day]} is taken on that day, whatever is so"
            reader.refuse(key, "CAMPAIGN_STEP_UNREACHABLE", message)
        if calendar.first and calendar.last and calendar.first + step.day > calendar.last:
            last = date.fromordinal(calendar.last)
            message = f"step {step.id} is never reached: day {step.day} lies behind the campaign's last, {last}"
            reader.refuse(value.get("day") or key, "CAMPAIGN_STEP_UNREACHABLE", message)
        node = value.get("when")
        if step.when is None or node is None:
            return
        besides = {
            "journey.purchased": campaign.stops.purchased and "it ends with a purchase",
            "journey.opened": not spoken and "there is no message before it",
            "journey.clicked": not spoken and "there is no message before it",
            "journey.offered": not offered and "there is no offer before it",
        }
        for name, why in besides.items():
            if not why or name not in fields(to_builtins(step.when)):
                continue
            together = f"({node.value}\n) AND NOT {name}"
            tree = parsed(reader, replace(node, value=together), self.whole.layout, self.whole.places)
            if tree is not None and verdict(tree, self.whole.layout, "event") == "never":
                offset = max(node.value.find(name), 0)
                message = f"step {step.id} is never reached: {why}"
                reader.refuse(node, "CAMPAIGN_STEP_UNREACHABLE", message, offset=offset)


def parsed(reader: Reader, node: Text, at: Layout, places: int) -> Node | None:
    """What a condition means; None, with each of its mistakes noted in its place, when it means nothing."""
    if node.kind != "text":
        reader.refuse(node, "RULE_VALUE_INVALID", "write a condition, such as member.purchases > 0, in one text")
        return None
    try:
        return language.parse(node.value, at, "order", places, None).node
    except language.Rejected as error:
        for issue in error.issues:
            reader.refuse(node, issue.code, issue.message, issue.suggestion, issue.offset)
        return None


def _without_sign(node: Text) -> Text:
    """A percentage as a number: its sign may stand behind it or not."""
    return replace(node, value=node.value.removesuffix("%").rstrip()) if node.kind == "text" else node


def _percent(letter: str) -> str:
    """As an address spells a letter that it cannot have (RFC 3986, 2.1)."""
    return "".join(f"%{byte:02X}" for byte in letter.encode())


def _alike(has: str, wants: str) -> bool:
    return has == wants or {has, wants} <= {"number", "points"}


def _joined(spans: Collection[Span]) -> tuple[Span, ...]:
    """In order, with those that follow each other without a day between made one."""
    found: list[Span] = []
    for span in sorted(spans, key=lambda one: one.first):
        if found and found[-1].last + 1 == span.first:
            found[-1] = Span(found[-1].first, span.last)
        else:
            found.append(span)
    return tuple(found)
