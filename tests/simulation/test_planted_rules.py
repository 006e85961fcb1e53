"""Books that rules have written are sound by the checker that knows nothing of the product, and bugs planted in how
awards are counted and carried are found by it.
"""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from loyalty.earning.purchase import Line, Purchase, Return, ReturnLine
from loyalty.earning.service import Earning
from loyalty.ids import Located
from loyalty.ledger import commands
from loyalty.ledger.account import Draft, State
from loyalty.ledger.chain import Cause, Chain
from loyalty.ledger.commands import Award
from loyalty.rules.engine import Awarded
from loyalty.values import ZERO
from tests.property.world import BEGINNING, PROGRAM, World, policy
from tests.simulation import invariants
from tests.unit.published import checked, rule

DAY = 86_400
CHAIN = Chain(PROGRAM, "mem_a", "points")
MANY = [rule(f"part{number}", f"amount / {number}") for number in (3, 7, 9, 11, 13, 17, 19, 21, 23)]
RULES = checked(
    "events: {walk: {streak: true}, trade: {}, accepted: {activates: trade}, refused: {cancels: trade}}",
    rule("monthly", "2 * base", cap="{member: {points: 60, per: month}}", rounding="down"),
    rule("twice", "10", "amount >= 10", cap="{member: {times: 2, per: month}}"),
    rule("walk", "event.streak", "event.type = 'walk'", "event"),
    rule("trade", "7", "event.type = 'trade'", "event", pending="{kind: on_event}"),
    *MANY,
)

Plant = Callable[[pytest.MonkeyPatch], None]


class Till:
    """One member's story under rules, told to the real services."""

    def __init__(self) -> None:
        self.world = World(policy(), {"mem_a": "member"})
        self.world.shelf.publish(RULES)
        self.now = BEGINNING
        self.sent = 0

    @property
    def earning(self) -> Earning:
        return self.world.earning

    def cause(self) -> Cause:
        self.sent += 1
        self.now += 60
        return Cause(f"k#till#{self.sent}", f"print-{self.sent}", "till", self.now)

    def buy(self, order: str, *amounts: int) -> None:
        lines = tuple(Line(amount) for amount in amounts)
        bought = Purchase("pos", order, CHAIN.account, CHAIN.wallet, "EUR", lines, self.now, "1", "store")
        self.earning.record(PROGRAM, bought, self.cause(), self.now)

    def back(self, order: str, back: Return) -> None:
        self.earning.take_back(PROGRAM, "pos", order, lambda _: back, self.cause(), self.now)

    def event(self, type_: str, of: int = 0) -> int:
        decided = Located(CHAIN.account, CHAIN.wallet, of) if of else None
        posted = self.earning.activity.post(
            PROGRAM, CHAIN.account, CHAIN.wallet, type_, self.now, self.cause(), self.now, of=decided
        )
        return posted.entry.number

    def tell(self) -> "Till":
        """Purchases up to the caps, returns in parts and as a whole, walks and trades."""
        self.buy("first", 1_234, 2_001)
        self.buy("second", 4_999)
        self.event("walk")
        self.back("second", Return(amount=1_000))
        self.back("second", Return())
        self.event("accepted", self.event("trade"))
        self.now += DAY
        self.event("walk")
        self.event("refused", self.event("trade"))
        self.back("first", Return((ReturnLine(1),)))
        self.buy("third", 1_777)
        self.event("trade")
        self.check()  # a purchase of which a part is back
        self.back("first", Return())
        return self

    def check(self) -> invariants.Books:
        return invariants.check(self.world.engine.items())[CHAIN.pk]


def test_books_that_rules_have_written_are_sound() -> None:
    books = Till().tell().check()
    assert books.purchases[0] == 1
    assert books.counters["twice:tm"] == 1
    assert books.streaks["walk"][1] == 2
    assert len(books.remainders) == 8
    assert sum(points for (_, start), points in books.lots.items() if start == -1) == 7


def _counters_keep_what_came_back(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(commands, "_uncount", lambda draft, shares, dues: None)


def _remainders_that_are_one_too_many_are_lost(patch: pytest.MonkeyPatch) -> None:
    real = commands._carried  # noqa: SLF001 - the bug is planted there

    def forgets(draft: Draft, why: str, award: Award, sign: int) -> tuple[int, int]:
        whole, folded = real(draft, why, award, sign)
        while len(draft.state.remainders) > 6:
            draft.move(why, "r", max(draft.state.remainders), 0, 1)
        return whole, folded

    patch.setattr(commands, "_carried", forgets)


def _streaks_never_end(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(State, "streak", lambda self, event, day: self.streaks.get(event, (0, 1))[1] + 1)


def _what_an_order_gave_is_written_down_short(patch: pytest.MonkeyPatch) -> None:
    real = Awarded.award
    patch.setattr(Awarded, "award", lambda self: replace(real(self), exact=ZERO))


def _the_last_share_is_what_the_first_was(patch: pytest.MonkeyPatch) -> None:
    real = Awarded.share
    patch.setattr(Awarded, "share", lambda self, before, after: real(self, before, type(after)(1, 2)))


@pytest.mark.parametrize(
    ("plant", "says"),
    [
        (_counters_keep_what_came_back, "I5.*says"),
        (_remainders_that_are_one_too_many_are_lost, "I10.*points due"),
        (_streaks_never_end, "I10.*days in a row"),
        (_what_an_order_gave_is_written_down_short, "I5.*monthly:pm says 0"),
        (_the_last_share_is_what_the_first_was, "I5.*twice:tm says 2"),
    ],
)
def test_a_bug_in_how_awards_are_counted_and_carried_is_found(
    plant: Plant, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    with pytest.raises(AssertionError, match=says):
        Till().tell().check()
