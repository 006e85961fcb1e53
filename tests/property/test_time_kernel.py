"""What time does to points under notice and extension, and the figures that purchases leave, beside a plain model."""

from dataclasses import dataclass, field
from datetime import date
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from loyalty.ledger import chain as chains
from loyalty.ledger import commands
from loyalty.ledger.account import Draft, State
from loyalty.ledger.chain import Cause, Chain, Entry
from loyalty.ledger.commands import ARREARS, Award, Lasting
from loyalty.values import Rate
from tests.property.profile import examples
from tests.property.world import BEGINNING

DAY = 86_400
EPOCH = date(1970, 1, 1).toordinal()
OF = Chain("acme", "mem_a", "points")


@dataclass
class Packet:
    """Points of one purchase: ``waits`` as long as nobody said that they end."""

    points: int
    end: int
    waits: bool


@dataclass
class Plain:
    """An account whose points are never held and never pending."""

    now: int
    packets: list[Packet] = field(default_factory=list)
    purchases: list[tuple[int, int, int]] = field(default_factory=list)
    """(day, spend, points) of those that stand."""

    def pass_to(self, now: int) -> None:
        self.now = now
        self.packets = [packet for packet in self.packets if packet.waits or packet.end > now]

    def buy(self, points: int, end: int, notice: bool) -> None:
        """What was said of this end, or a later one, was not said of these."""
        self.packets.append(Packet(points, end, notice))
        for packet in self.packets:
            packet.waits |= notice and packet.end >= end

    def tell(self, end: int) -> None:
        for packet in self.packets:
            packet.waits &= packet.end > end

    def spend(self, points: int) -> None:
        for packet in sorted(self.packets, key=lambda packet: packet.end):
            part = min(points, packet.points)
            packet.points -= part
            points -= part
        self.packets = [packet for packet in self.packets if packet.points]

    def extend(self, end: int, notice: bool) -> None:
        for packet in self.packets:
            packet.waits |= notice and packet.end < end
            packet.end = max(packet.end, end)

    def figures(self) -> dict[tuple[int, int], list[int]]:
        months: dict[tuple[int, int], list[int]] = {}
        for day, spend, points in self.purchases:
            on = date.fromordinal(day)
            row = months.setdefault((on.year, on.month), [0, 0, 0])
            for place, more in enumerate((spend, points, 1)):
                row[place] += more
        return {month: row for month, row in months.items() if any(row)}


@dataclass
class Story:
    """The ledger's account, entry by entry."""

    now: int = BEGINNING
    entries: list[Entry] = field(default_factory=list)

    def post(self, command: Any) -> Draft:
        head = self.entries[-1] if self.entries else None
        draft = Draft(head.state if head else State(), self.now)
        command(draft)
        number = len(self.entries)
        self.entries.append(chains.seal(OF, head, draft, Cause(f"k#till#{number}", "print", "till", self.now)))
        return draft


steps = st.lists(
    st.tuples(
        st.sampled_from(["wait", "buy", "extend", "return", "notice", "spend", "buy"]),
        st.integers(1, 40),
        st.sampled_from([1, 3, 10, 40]),
        st.booleans(),
    ),
    min_size=4,
    max_size=14,
)


@settings(max_examples=examples(5))
@given(steps, st.sampled_from([False, True]))
@example([("buy", 5, 3, False), ("extend", 1, 40, False), ("wait", 1, 10, False), ("wait", 1, 40, False)], False)
@example([("buy", 5, 3, False), ("extend", 1, 40, False), ("wait", 1, 10, False), ("return", 5, 1, False)], False)
def test_points_end_when_their_owner_was_told_and_not_while_they_are_extended(
    story_steps: list[tuple[str, int, int, bool]], notice: bool
) -> None:
    """One policy throughout: either all points wait for notice or none do."""
    story, plain = Story(), Plain(BEGINNING)
    story.post(lambda draft: commands.open_account(draft, "member"))
    bought: list[tuple[int, int, int]] = []
    for what, points, days, late in story_steps:
        end = (story.now // DAY + days) * DAY
        today = EPOCH + story.now // DAY
        if what == "buy":
            day = today - (days if late else 0)
            award = [Award("base", Rate(points, 1), end)]
            story.post(lambda draft: commands.earn_awards(draft, award, day, True, 100 * points, Lasting(notice)))  # noqa: B023 - called at once
            plain.buy(points, end, notice)
            plain.purchases.append((day, 100 * points, points))
            bought.append((day, points, end))
        elif what == "return" and bought:
            day, given_points, was = bought.pop(points % len(bought))
            share = [Award("base", Rate(given_points, 1), was)]
            before = sum(packet.points for packet in plain.packets)
            draft = story.post(lambda draft: commands.take_back(draft, share, ARREARS, True, day, 100 * given_points))  # noqa: B023 - called at once
            plain.purchases.remove((day, 100 * given_points, given_points))
            kept = sum(draft.state.lots.values())
            assert kept >= before - given_points
            plain.packets = [
                Packet(left, end, notice and end > draft.state.noticed) for (end, _), left in draft.state.lots.items()
            ]
            story.post(_forgiven)
        elif what == "notice":
            story.post(lambda draft: commands.notice(draft, end) and None)  # noqa: B023 - called at once
            plain.tell(end)
        elif what == "spend" and plain.packets:
            some = min(points, sum(packet.points for packet in plain.packets))
            story.post(lambda draft: commands.redeem(draft, some))  # noqa: B023 - called at once
            plain.spend(some)
        elif what == "extend":
            story.post(lambda draft: commands.extend(draft, end))  # noqa: B023 - called at once
            if end >= story.entries[-1].state.extended[1]:
                plain.extend(end, notice)
        else:
            story.now += days * DAY // (1 + late)
        plain.pass_to(story.now)
        head = story.entries[-1].state
        settled = Draft(head, story.now)
        settled.settle()
        assert sum(settled.state.lots.values()) == sum(packet.points for packet in plain.packets)
        months = {(month // 12, month % 12 + 1): list(row) for month, row in head.months.items()}
        assert months == plain.figures()
    _replayed(story)


def _forgiven(draft: Draft) -> None:
    """What a return could not find is let go, so that the accounts stay comparable."""
    draft.kind = "adjusted"
    draft.move("forgiven", "a", -draft.state.arrears)


def _replayed(story: Story) -> None:
    """I8: to the byte, and read as it was written."""
    verifier = chains.Verifier(OF)
    for entry in story.entries:
        verifier.feed(chains.Stored(entry.number, entry.ref, entry.body, entry.hash))
        assert chains.read(OF, entry.number, entry.ref, entry.body, entry.hash) == entry
    assert verifier.finish() is None
    assert verifier.state == story.entries[-1].state
