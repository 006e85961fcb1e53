"""Campaigns' offers beside a plain recomputation: whatever is bought, brought back, offered and sent again, in whatever
order and on whatever side of a window's edge.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from math import floor
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from loyalty.earning.granting import Granted, Offers
from loyalty.earning.offers import reference
from loyalty.earning.purchase import Line, Purchase, Return
from loyalty.earning.rulebook import Rulebook
from loyalty.errors import Refused
from loyalty.ledger.chain import Cause, Chain
from loyalty.ledger.service import Posted
from loyalty.values import Rate
from tests.property.profile import examples
from tests.property.world import BEGINNING, PROGRAM, World, policy
from tests.unit.published import Shelf, checked, rule

DAY = 86_400
EPOCH = date(1970, 1, 1).toordinal()
OF = Chain(PROGRAM, "mem_a", "points")
CAMPAIGNS = ("autumn", "flash", "spring", "winter")
TIMES = (Rate(2, 1), Rate(3, 2), Rate(4, 3), Rate(6, 4))
KEPT_DAYS = 14

ago = st.integers(0, 4)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("buy"), st.integers(0, 2_000), ago),
        st.tuples(st.just("buy"), st.integers(0, 2_000), ago),
        st.tuples(st.just("back"), st.integers(0, 20), st.none() | st.integers(1, 900)),
        st.tuples(st.just("points"), st.integers(0, 4), st.integers(1, 300)),
        st.tuples(
            st.just("multiply"),
            st.sampled_from(CAMPAIGNS),
            st.tuples(st.sampled_from(TIMES), st.integers(-3, 2), st.integers(0, 3)),
        ),
        st.tuples(st.just("wait"), st.integers(1, 6), st.just(None)),
        st.tuples(st.just("again"), st.integers(0, 30), st.just(None)),
    ),
    min_size=4,
    max_size=16,
)


@dataclass
class Window:
    first: int
    last: int
    campaign: str
    times: Fraction


@dataclass
class Bought:
    """A purchase: what each rule gave exactly, and how much of the money has come back."""

    amount: int
    exact: dict[str, Fraction]
    back: int = 0


@dataclass
class Plain:
    """Sums of exact fractions by rule, rounded down once, and what was given in whole points."""

    today: int
    rules: bool
    sums: dict[str, Fraction] = field(default_factory=dict)
    gifts: dict[str, int] = field(default_factory=dict)
    windows: list[Window] = field(default_factory=list)

    def buy(self, amount: int, day: int) -> Bought:
        base = Fraction(amount, 100)
        exact = {"base": base}
        if self.rules and base:
            exact |= {"half": base / 2, "seven": Fraction(7)}
        holding = [one for one in self.windows if one.first <= day <= one.last]
        if holding and base:
            best = min(holding, key=lambda one: (-one.times, one.first, one.last, one.campaign))
            exact[f"campaign:{best.campaign}"] = base * (best.times - 1)
        self.forget()
        return Bought(amount, exact)

    def add(self, exact: dict[str, Fraction], sign: int = 1) -> dict[str, int]:
        """Points by rule that come of it."""
        given = {}
        for name, more in exact.items():
            before = self.sums.get(name, Fraction(0))
            self.sums[name] = before + sign * more
            given[name] = sign * (floor(self.sums[name]) - floor(before))
        return given

    def multiply(self, window: Window) -> bool:
        if sum(one.last >= self.today for one in self.windows) >= 3:
            return False
        self.windows.append(window)
        self.forget()
        return True

    def forget(self) -> None:
        late = [one for one in self.windows if one.last >= self.today - KEPT_DAYS]
        while len(late) > 3:
            late.remove(min(late, key=lambda one: one.last))  # of equal ones the first in order
        late.sort(key=lambda one: (one.first, one.last, one.campaign, one.times.numerator))
        self.windows = late

    @property
    def points(self) -> int:
        return sum(self.gifts.values()) + sum(map(floor, self.sums.values()))


class Story:
    """The real services, the plain account, and everything that was asked, to be asked again."""

    def __init__(self, rules: bool) -> None:
        shelf = Shelf()
        self.world = World(policy(), {OF.account: "member"}, shelf=shelf)
        if rules:
            shelf.publish(checked("", rule("half", "base * 1.5"), rule("seven", "7", "base > 0")))
        self.offers = Offers(self.world.ledger, lambda _: self.world.program, Rulebook())
        self.now = BEGINNING
        self.plain = Plain(self.today, rules)
        self.orders: list[Bought] = []
        self.asked: list[tuple[Callable[[int], Posted | Granted], str]] = []
        """What was carried out, and the hash of its entry."""

    @property
    def today(self) -> int:
        return EPOCH + self.now // DAY

    def carried_out(self, ask: Callable[[int], Posted | Granted]) -> Any:
        posted = ask(self.now)
        assert not posted.replayed
        self.asked.append((ask, posted.entry.hash))
        return posted.entry

    def buy(self, amount: int, days: int) -> None:
        number = len(self.orders)
        occurred = self.now - days * DAY
        purchase = Purchase(
            "pos", f"{number}", OF.account, OF.wallet, "EUR", (Line(amount),), occurred, "st_1", "store"
        )
        cause = Cause(f"k#till#{number}", "print", "till", occurred)
        quote = self.world.earning.quote(PROGRAM, purchase, self.now)
        bought = self.plain.buy(amount, EPOCH + occurred // DAY)
        self.orders.append(bought)
        expected = self.plain.add(bought.exact)
        entry = self.carried_out(lambda now: self.world.earning.record(PROGRAM, purchase, cause, now))
        told = dict(entry.detail.get("awards", [["base", entry.detail["points"]]]))
        assert told == {name: points for name, points in expected.items() if name in told or points}
        quoted = {one.rule: one.points for one in quote.awards}
        assert quoted == told or not amount
        assert ("rules" in entry.detail) == self.plain.rules

    def back(self, which: int, amount: int | None) -> None:
        if not self.orders:
            return
        number = which % len(self.orders)
        bought = self.orders[number]
        left = bought.amount - bought.back
        if not left:
            return
        amount = None if self.plain.rules or amount is None or amount > left else amount
        cause = Cause(f"k#till#b{len(self.asked)}", "print", "till", self.now)
        back = Return(amount=amount)
        entry = self.carried_out(
            lambda now: self.world.earning.take_back(PROGRAM, "pos", f"{number}", lambda _: back, cause, now)
        )
        part = Fraction(left if amount is None else amount, bought.amount)
        bought.back += left if amount is None else amount
        expected = self.plain.add({name: exact * part for name, exact in bought.exact.items()}, -1)
        self.plain.forget()
        assert entry.detail["points"] == sum(expected.values())

    def points(self, step: int, points: int) -> None:
        ref = reference("spring", "gift", f"{step}")

        def ask(now: int) -> Granted:
            return self.offers.grant_points(PROGRAM, OF.account, ref, "spring", points, 300, "", now)

        if ref in self.plain.gifts:
            assert (ask(self.now).points, ask(self.now).replayed) == (self.plain.gifts[ref], True)
            return
        self.plain.gifts[ref] = points
        self.carried_out(ask)
        self.plain.forget()

    def multiply(self, campaign: str, window: tuple[Rate, int, int]) -> None:
        times, starts, length = window
        first = self.today + starts
        ref = reference(campaign, f"{len(self.asked)}", "1")
        mine = Window(first, first + length, campaign, Fraction(*times))

        def ask(now: int) -> Granted:
            return self.offers.grant_multiplier(PROGRAM, OF.account, ref, campaign, times, first, first + length, now)

        if self.plain.multiply(mine):
            self.carried_out(ask)
            return
        try:
            ask(self.now)
        except Refused as refusal:
            assert refusal.code == "OFFERS_LIMIT_REACHED"  # noqa: PT017 - the other way out is the failure
        else:
            raise AssertionError("one multiplier too many")

    def wait(self, days: int, _: None) -> None:
        self.now += days * DAY - DAY // 3
        self.plain.today = self.today

    def again(self, which: int, _: None) -> None:
        if self.asked:
            ask, hash_ = self.asked[which % len(self.asked)]
            assert ask(self.now).entry.hash == hash_

    def check(self) -> None:
        state = self.world.wallets.state(OF, self.now)
        assert state.balance().available == self.plain.points
        assert {name: Fraction(*rest) for name, rest in state.remainders.items()} == {
            name: rest for name, total in self.plain.sums.items() if (rest := total % 1)
        }
        held = [(one.first, one.last, one.campaign, Fraction(one.num, one.den)) for one in state.multipliers]
        assert sorted(held) == sorted((one.first, one.last, one.campaign, one.times) for one in self.plain.windows)


@settings(max_examples=examples(3))
@given(steps, st.booleans())
@example([("multiply", "flash", (Rate(2, 1), 0, 0)), ("wait", 1, None), ("buy", 999, 0), ("buy", 999, 1)], False)
@example([("buy", 999, 0), ("multiply", "flash", (Rate(2, 1), 0, 0)), ("again", 0, None), ("back", 0, 333)], False)
def test_purchases_and_offers_in_any_order_are_what_a_plain_recomputation_gives(
    story_steps: list[tuple[str, Any, Any]], rules: bool
) -> None:
    story = Story(rules)
    for what, *parts in story_steps:
        getattr(story, what)(*parts)
        story.check()
    for ask, hash_ in story.asked:
        assert ask(story.now).entry.hash == hash_
    story.check()
    checked_entries, finding = story.world.wallets.verify(OF)
    assert finding is None
    assert checked_entries in (len(story.asked), len(story.asked) + 1)
    for number, bought in enumerate(story.orders):
        if bought.back < bought.amount:
            story.back(number, None)
    story.plain.sums = {name: total for name, total in story.plain.sums.items() if total}
    assert not any(story.plain.sums.values()), "what wholly comes back leaves nothing"
    story.check()
