"""What a member did in its window, read from its ledger, is what a plain list of what was done gives; and sums of it
come out the same however they are added up.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

import msgspec
import pytest

from loyalty.earning.purchase import Line, Order, OrderTerms
from loyalty.experiments.outcome import Margins, OrderName, outcome
from loyalty.experiments.sums import ArmSums, Outcome, merged, pooled
from loyalty.ledger import commands
from loyalty.ledger.account import Draft, State
from loyalty.ledger.chain import Cause, Chain, Entry, read, seal
from loyalty.values import Rate

CHAIN = Chain("grocer", "01J0000000000000000000000A", "main")
RATE = Rate(1, 100)
DAY = 86_400
SEEDS = range(120)
MARGINS = Margins(rest=200, classes={"high": 400, "none": 0})


@dataclass
class Bought:
    name: OrderName
    amount: int
    occurred: int
    lines: tuple[Line, ...]
    returned: int = 0
    whole: bool = False


@dataclass
class Redeemed:
    occurred: int
    number: int
    hold: int = 0
    """That it was captured from; 0 for none."""
    cancelled: bool = False


@dataclass
class Told:
    """One wallet's history, as entries and as a plain list."""

    entries: list[Entry] = field(default_factory=list)
    bought: list[Bought] = field(default_factory=list)
    redeemed: list[Redeemed] = field(default_factory=list)
    holds: dict[int, int] = field(default_factory=dict)

    def draft(self, now: int) -> Draft:
        return Draft(self.entries[-1].state.copy() if self.entries else State(), now)

    def write(self, draft: Draft, occurred: int) -> Entry:
        ref = f"k#till#{draft.number}"
        entry = seal(CHAIN, self.entries[-1] if self.entries else None, draft, Cause(ref, "", "till", occurred))
        self.entries.append(read(CHAIN, entry.number, ref, entry.body, entry.hash))  # as it comes from the table
        return entry


def history(seed: int) -> Told:
    draw, told, now = Random(seed), Told(), 1_000 * DAY
    opened = told.draft(now)
    commands.open_account(opened, "member")
    told.write(opened, now)
    for _ in range(draw.randint(1, 40)):
        now += draw.randint(1, 3 * DAY)
        draft = told.draft(now)
        draw.choice((purchase, purchase, bring_back, bring_back, redeem, cancel, hold, capture, adjust))(
            told, draft, draw, now
        )
    return told


def purchase(told: Told, draft: Draft, draw: Random, now: int) -> None:
    name = ("till", str(len(told.bought)))
    lines = tuple(
        Line(draw.choice((0, draw.randint(1, 9_000))), margin=draw.choice(("", "high", "none", "odd")))
        for _ in range(draw.randint(1, 3))
    )
    amount = sum(line.amount for line in lines)
    occurred = now - draw.choice((0, 0, draw.randint(0, 20 * DAY)))  # reported late, now and then
    commands.earn_amount(draft, "base", RATE, amount, 0, 0, day=occurred // DAY + 719_163)
    draft.detail |= {"source": name[0], "order": name[1], "amount": amount}
    told.write(draft, occurred)
    told.bought.append(Bought(name, amount, occurred, lines))


def bring_back(told: Told, draft: Draft, draw: Random, now: int) -> None:
    left = [one for one in told.bought if not one.whole]
    if not left:
        return
    one = draw.choice(left)
    amount = draw.choice((one.amount - one.returned, draw.randint(0, one.amount - one.returned)))
    one.returned += amount
    one.whole = one.returned == one.amount
    day = one.occurred // DAY + 719_163
    commands.reverse(draft, "base", RATE, amount, 0, 0, commands.ARREARS, one.whole, day)
    draft.detail |= {"source": one.name[0], "order": one.name[1], "amount": amount, "returned": one.returned}
    told.write(draft, now)


def redeem(told: Told, draft: Draft, draw: Random, now: int) -> None:
    draft.settle()
    if draft.available:
        commands.redeem(draft, draw.randint(1, draft.available))
        entry = told.write(draft, now)
        told.redeemed.append(Redeemed(now, entry.number))


def cancel(told: Told, draft: Draft, draw: Random, now: int) -> None:
    left = [one for one in told.redeemed if not one.cancelled]
    if left:
        one = draw.choice(left)
        one.cancelled = True
        commands.restore(draft, commands.spent_parts(told.entries[one.number - 1].moves), one.number)
        told.write(draft, now)


def hold(told: Told, draft: Draft, draw: Random, now: int) -> None:
    draft.settle()
    if draft.available > 1 and len(told.holds) < 5:
        points = draw.randint(2, draft.available)
        commands.hold(draft, points, now + 400 * DAY, False)
        told.holds[told.write(draft, now).number] = points


def capture(told: Told, draft: Draft, draw: Random, now: int) -> None:
    if told.holds:
        number = draw.choice(sorted(told.holds))
        points = draw.randint(1, told.holds[number])
        told.holds[number] -= points
        if not told.holds[number]:
            del told.holds[number]
        commands.capture(draft, number, points, final=False)
        entry = told.write(draft, now)
        told.redeemed.append(Redeemed(now, entry.number, number))


def adjust(told: Told, draft: Draft, draw: Random, now: int) -> None:
    commands.adjust(draft, draw.randint(1, 500), 0, "kindness")
    told.write(draft, now)


def plainly(told: Told, after: int, since: int, until: int) -> Outcome:
    """From the list: what was written after entry ``after`` and happened in the window."""
    numbers = {(entry.detail["source"], entry.detail["order"]): entry.number for entry in earned(told)}
    bought = [one for one in told.bought if numbers[one.name] > after and since <= one.occurred < until]
    margin = 0
    for one in bought:
        whole = sum(line.amount * MARGINS.classes.get(line.margin, MARGINS.rest) for line in one.lines)
        margin += whole * (one.amount - one.returned) // (one.amount * 1000) if one.amount else 0
    redeemed = [
        one for one in told.redeemed if one.number > after and since <= one.occurred < until and not one.cancelled
    ]
    return Outcome(
        purchases=sum(not one.whole for one in bought),
        spend=sum(one.amount - one.returned for one in bought),
        margin=margin,
        redemptions=sum(not one.hold for one in redeemed) + len({one.hold for one in redeemed} - {0}),
    )


def earned(told: Told) -> list[Entry]:
    return [entry for entry in told.entries if entry.kind == "earned"]


def documents(told: Told) -> dict[OrderName, Order]:
    terms = OrderTerms(RATE, 0, 0, commands.ARREARS)
    return {
        one.name: Order(*one.name, CHAIN.account, "main", "EUR", one.lines, one.occurred, terms, "", "", "", "")
        for one in told.bought
    }


@pytest.mark.parametrize("seed", SEEDS)
def test_what_a_member_did_is_what_a_plain_list_says(seed: int) -> None:
    told, draw = history(seed), Random(seed)
    orders = documents(told)
    for _ in range(5):
        at = draw.choice(told.entries)
        since, until = at.recorded, at.recorded + draw.randint(0, 60) * DAY
        behind = told.entries[at.number :]
        found = outcome(behind, since, until, MARGINS, orders)
        assert found == plainly(told, at.number, since, until)
        assert outcome(behind, since, until) == Outcome(found.purchases, found.spend, None, found.redemptions)
        assert outcome(behind, since, until, Margins(1000)).margin == found.spend


def test_all_that_is_tried_happens() -> None:
    """Else the property above would hold of nothing."""
    found = [plainly(history(seed), 1, 0, 1 << 40) for seed in SEEDS]
    told = [history(seed) for seed in SEEDS]
    assert sum(one.purchases for one in found) > 300
    assert sum(one.redemptions for one in found) > 100
    assert sum(one.whole for each in told for one in each.bought) > 100
    assert sum(one.cancelled for each in told for one in each.redeemed) > 20
    captured = [[one.hold for one in each.redeemed if one.hold] for each in told]
    assert sum(len(holds) - len(set(holds)) for holds in captured) > 20, "some holds are captured in parts"
    assert sum(one.cancelled and one.hold > 0 for each in told for one in each.redeemed) > 5


def test_what_was_bought_before_the_assignment_counts_neither_when_reported_late_nor_when_it_comes_back() -> None:
    told, now = Told(), 1_000 * DAY
    opened = told.draft(now)
    commands.open_account(opened, "member")
    told.write(opened, now)
    draw = Random(1)
    purchase(told, told.draft(now + 1), draw, now + 1)
    assigned = told.entries[-1]
    told.bought[0].returned = 0
    bring_back(told, told.draft(now + DAY), draw, now + DAY)
    late = told.draft(now + 2 * DAY)
    commands.earn_amount(late, "base", RATE, 500, 0, 0, day=730_000)
    late.detail |= {"source": "till", "order": "late", "amount": 500}
    told.write(late, assigned.recorded - 5)
    assert outcome(told.entries[assigned.number :], assigned.recorded, now + 30 * DAY) == Outcome()


def outcomes(draw: Random, count: int) -> list[Outcome]:
    return [
        Outcome(
            draw.randint(0, 3), draw.choice((0, draw.randint(1, 10**12))), draw.choice((None, 5)), draw.randint(0, 1)
        )
        for _ in range(count)
    ]


def arms_of(found: Sequence[tuple[str, Outcome]]) -> dict[str, ArmSums]:
    arms: dict[str, ArmSums] = {}
    for arm, one in found:
        sums = arms.setdefault(arm, ArmSums())
        sums.count(one, points=one.purchases, messages={"sms": 1}, blocked={"quiet": one.redemptions})
    return arms


@pytest.mark.parametrize("seed", range(20))
def test_sums_are_the_same_however_they_are_added_up_and_stored(seed: int) -> None:
    draw = Random(seed)
    members = [(draw.choice(("a", "b", "control")), one) for one in outcomes(draw, 200)]
    whole = arms_of(members)
    draw.shuffle(members)
    cut = sorted(draw.sample(range(200), 4))
    parts = [arms_of(members[start:end]) for start, end in zip([0, *cut], [*cut, 200], strict=True)]
    stored = [msgspec.json.decode(msgspec.json.encode(part), type=dict[str, ArmSums]) for part in parts]
    draw.shuffle(stored)
    assert merged(stored) == whole
    assert pooled(whole.values()).members == 200
    assert pooled(whole.values()).spend.total == sum(one.spend for _, one in members)
    assert pooled(whole.values()).margin.n == sum(one.margin is not None for _, one in members)


def test_two_wallets_of_a_member_are_one_member() -> None:
    assert Outcome(1, 500, 100, 0).plus(Outcome(2, 300, 50, 1)) == Outcome(3, 800, 150, 1)
    assert Outcome(1, 500, 100, 0).plus(Outcome(2, 300, None, 1)).margin is None
