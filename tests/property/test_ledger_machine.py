"""Every command in every order, on the real services over a table in memory, beside a plain model of the accounts.

After each step the numbered invariants of the ledger are checked on what lies in the table.
"""

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fractions import Fraction
from math import floor
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from loyalty.earning.purchase import Line, Purchase, Return, ReturnLine
from loyalty.errors import Conflict, Problem
from loyalty.ids import Located
from loyalty.ledger.chain import Cause, Chain, canonical
from loyalty.ledger.service import Posted
from tests.property.plain import No, Packet, PlainAccount, PlainOrder, PlainTerms
from tests.property.profile import examples
from tests.property.world import BEGINNING, EVENTS, PROGRAM, World, policy
from tests.simulation.dynamodb import TABLE, Client
from tests.simulation.invariants import numbers
from tests.unit.published import checked
from tests.unit.published import rule as written

DAY = 86_400
ACCOUNTS = {"mem_a": "member", "mem_b": "household"}
CHAINS = [Chain(PROGRAM, "mem_a", "points"), Chain(PROGRAM, "mem_a", "cash"), Chain(PROGRAM, "mem_b", "points")]

RULED = "points"
"""The wallet that rules are for: the programme's first."""
RULES = checked(
    """
    events: {walk: {streak: true}, trade: {}, accepted: {activates: trade}, refused: {cancels: trade}}
    """,
    written("third", "amount / 3", cap="{member: {points: 40, per: month}}"),
    written("twice", "10", "amount >= 20", cap="{member: {times: 2, per: week}}"),
    written("walk", "event.streak", "event.type = 'walk'", "event", pending="{kind: immediate}"),
    written("trade", "7", "event.type = 'trade'", "event", pending="{kind: on_event}"),
)
"""What ``PlainAccount.buy_by_rules``, ``walk`` and ``trade`` say in their own words."""

Call = Callable[[Cause, int], Posted]

which = st.sampled_from([0, 0, 0, 1, 2])
some_points = st.integers(1, 150)
amounts = st.sampled_from(["some", "some", "some", "all", "one more"])
any_index = st.integers(0, 10**6)
lines = st.lists(
    # A line of no money and no pieces is one piece from where it enters.
    st.tuples(st.integers(0, 9_000), st.integers(0, 4)).map(lambda line: line if any(line) else (0, 1)),
    min_size=1,
    max_size=3,
)
deadlines = st.sampled_from([60, 3_600, 2 * DAY, 40 * DAY])
expiries = st.sampled_from([0, 1, 2, 3, 40, 75])
"""Days from now, 0 for good."""
policies = st.builds(
    PlainTerms,
    st.sampled_from([Fraction(1), Fraction(3, 7), Fraction(1, 100), Fraction(5, 2)]).map(lambda rate: rate / 100),
    st.sampled_from([0, 1, 2]),
    st.sampled_from([0, 0, 2]),
    st.sampled_from(["arrears", "arrears", "within_balance", "only_pending"]),
)


@dataclass
class Plain:
    """All that the model knows."""

    accounts: dict[Chain, PlainAccount]
    orders: dict[tuple[str, str], PlainOrder]
    purchases: dict[tuple[str, str], tuple[Chain, list[tuple[int, int]], str]]
    """By order: whose it is, what was bought, and the hash of its entry."""


@dataclass
class Done:
    """A request that was carried out, to be sent again."""

    call: Call
    cause: Cause
    hash: str


def day_of(moment: int) -> int:
    """Its day in UTC, as an ordinal."""
    return datetime.fromtimestamp(moment, UTC).date().toordinal()


def outcome(call: Call, cause: Cause, now: int) -> Posted | Problem:
    try:
        return call(cause, now)
    except Problem as problem:
        return problem


def numbers_in(data: Any) -> list[Any]:
    if isinstance(data, dict):
        return [number for value in data.values() for number in numbers_in(value)]
    if isinstance(data, list):
        return [number for value in data for number in numbers_in(value)]
    return [data] if isinstance(data, (int, float)) else []


def by_expiry(packets: list[Packet]) -> Counter[int]:
    sums: Counter[int] = Counter()
    for packet in packets:
        sums[packet.expiry] += packet.points
    return sums


def sha(*parts: str) -> str:
    data = b"".join(len(part.encode()).to_bytes(8, "big") + part.encode() for part in parts)
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")


def moved(entry: dict[str, Any]) -> Counter[str]:
    """What an entry's moves add up to, by state of points."""
    sums: Counter[str] = Counter()
    for _, op, *rest in entry["m"]:
        if op == "l":
            sums["pending" if rest[1] else "available"] += rest[2]
        elif op == "h":
            sums["held"] += rest[2]
        elif op == "a":
            sums["arrears"] += rest[0]
    return sums


def stored(state: dict[str, Any]) -> Counter[str]:
    """The balances that a stored state has, by state of points."""
    sums: Counter[str] = Counter(arrears=state.get("a", 0))
    sums["available"] += sum(numbers(state.get("l", ""))[2::2])
    sums["pending"] += sum(state.get("n", [])[3::3]) + sum(state.get("w", [])[2::2])
    for _, _, _, parts in state.get("h", []):
        sums["held"] += sum(points for _, points in parts)
    return sums


class LedgerMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = BEGINNING
        self.terms = PlainTerms(Fraction(1, 100), 1, 0, "arrears")
        self.world = World(self._program(), ACCOUNTS)
        self.world.shelf.publish(RULES)
        self.world.shelf.in_force = 0
        self.plain = Plain({}, {}, {})
        self.done: list[Done] = []
        self.keys = 0
        self.documents: dict[str, dict[str, Any]] = {}
        self.seen: int | None = None
        self.tables: dict[Chain, list[dict[str, str]]] = {}
        self.looked: dict[tuple[str, Chain], list[dict[str, str]]] = {}

    def _program(self) -> Any:
        rate = self.terms.rate * 100
        return policy(
            wallets=["points", "cash"],
            earn={"rate": f"{rate.numerator}/{rate.denominator}"},
            expiry={"kind": "rolling", "months": self.terms.months} if self.terms.months else {"kind": "none"},
            pending={"kind": "delay", "days": self.terms.delay_days}
            if self.terms.delay_days
            else {"kind": "immediate"},
            return_policy=self.terms.policy,
        )

    # ---- reading the table without the product

    def _rows(self, chain: Chain) -> list[dict[str, str]]:
        seen = self.world.engine.fingerprint()
        if self.seen != seen:
            self.seen, self.tables = seen, {each: self.world.rows(each) for each in CHAINS}
        return self.tables[chain]

    def _entries(self, chain: Chain) -> list[dict[str, Any]]:
        entries = []
        for row in self._rows(chain):
            body = row["body"]
            if body not in self.documents:
                self.documents[body] = json.loads(body)
            entries.append({"row": row, **self.documents[body]})
        return entries

    def _begun(self) -> list[Chain]:
        return list(self.plain.accounts)

    def _changed(self, invariant: str) -> list[Chain]:
        """Wallets whose entries are not what they were when this invariant last looked at them."""
        changed = []
        for chain in self._begun():
            if self.looked.get((invariant, chain)) != self._rows(chain):
                self.looked[invariant, chain] = self._rows(chain)
                changed.append(chain)
        return changed

    def _pick(self, index: int, numbers: Callable[[PlainAccount], list[int]]) -> tuple[Chain, int]:
        """One of some numbers of any account; now and then one that means nothing."""
        known = [(chain, number) for chain, account in self.plain.accounts.items() for number in numbers(account)]
        return known[index % len(known)] if known and index % 12 else (CHAINS[index % 3], 1 + index % 50)

    # ---- one request

    def _cause(self, occurred: int | None = None) -> Cause:
        self.keys += 1
        return Cause(f"k#till#{self.keys}", f"print-{self.keys}", "till", self.now if occurred is None else occurred)

    def _account(self, plain: Plain, chain: Chain) -> PlainAccount:
        """A wallet begins when it is first used."""
        if chain.account not in ACCOUNTS:
            raise No("MEMBER_NOT_FOUND")
        if chain not in plain.accounts:
            plain.accounts[chain] = PlainAccount(self.now, ACCOUNTS[chain.account])
        return plain.accounts[chain]

    def _next(self, chain: Chain) -> int:
        """The number that the next entry of a command has; the one before it may be the wallet's first."""
        return max(len(self._rows(chain)), 1) + 1

    def _attempt(
        self, call: Call, expect: Callable[[Plain], dict[str, object]], occurred: int | None = None
    ) -> Posted | None:
        """Send one request; it must be refused exactly when, and exactly as, the model refuses it.

        ``expect`` carries it out in the model and returns what the entry's detail must say.
        """
        cause = self._cause(occurred)
        trial = deepcopy(self.plain)
        refusal: No | None = None
        detail: dict[str, object] = {}
        try:
            detail = expect(trial)
        except No as no:
            refusal = no
        before = {chain: len(self._rows(chain)) for chain in CHAINS}
        posted = outcome(call, cause, self.now)
        if isinstance(posted, Problem):
            assert refusal is not None, f"refused with {posted.code} {posted.figures}, which the model allows"
            assert (posted.code, posted.figures) == (refusal.code, refusal.figures)
            for chain in CHAINS:
                if chain in trial.accounts and chain not in self.plain.accounts:
                    self.plain.accounts[chain] = PlainAccount(self.now, ACCOUNTS[chain.account])
                    before[chain] = 1
            assert {chain: len(self._rows(chain)) for chain in CHAINS} == before, "a refusal wrote an entry"
            return None
        assert refusal is None, f"allowed, which the model refuses with {refusal.code} {refusal.figures}"
        assert not posted.replayed
        assert {name: posted.entry.detail.get(name) for name in detail} == detail
        self.plain = trial
        if posted.entry.ref == cause.ref:  # nothing to write down is no entry
            self.done.append(Done(call, cause, posted.entry.hash))
        return posted

    # ---- time and policy

    @initialize(
        terms=policies,
        gifts=st.lists(st.tuples(which, some_points, expiries), min_size=2, max_size=5),
        holds=st.lists(st.tuples(which, some_points, deadlines, st.booleans()), max_size=3),
        in_force=st.sampled_from([0, 1, 1]),
    )
    def begin(
        self,
        in_force: int,
        terms: PlainTerms,
        gifts: list[tuple[int, int, int]],
        holds: list[tuple[int, int, int, bool]],
    ) -> None:
        self.change_policy(terms)
        self.world.shelf.in_force = in_force
        chain = CHAINS[0]
        cause = self._cause()
        first = self.world.wallets.open(chain, ACCOUNTS[chain.account], cause, self.now)
        again = self.world.wallets.open(chain, ACCOUNTS[chain.account], self._cause(), self.now)
        assert (first.entry.number, first.replayed) == (1, False)
        assert (again.entry.hash, again.replayed) == (first.entry.hash, True)
        self._account(self.plain, chain)
        for gift, points, days in gifts:
            self.adjust(gift, points, days, up=True)
        for held, points, seconds, offline in holds:
            self.hold(held, points, "some", seconds, offline)

    @rule(seconds=st.sampled_from([0, 1, 3_600, DAY, 3 * DAY, 20 * DAY]))
    def wait(self, seconds: int) -> None:
        self.now += seconds
        for account in self.plain.accounts.values():
            account.live_until(self.now)

    @rule(chain=which, offset=st.sampled_from([-1, 0, 1]))
    def wait_for_the_next_moment(self, chain: int, offset: int) -> None:
        """To the second before, at, or after something happens by itself."""
        account = self.plain.accounts.get(CHAINS[chain])
        moments = account.moments() if account else []
        if moments and self.now <= moments[0] + offset <= self.now + 100 * DAY:
            self.wait(moments[0] + offset - self.now)

    @rule(terms=policies)
    def change_policy(self, terms: PlainTerms) -> None:
        self.terms = terms
        self.world.program = self._program()

    @rule()
    def publish_rules_or_withdraw_them(self) -> None:
        self.world.shelf.in_force = 1 - self.world.shelf.in_force

    # ---- earning

    def _buy(self, chain: Chain, order: str, bought: list[tuple[int, int]], occurred: int) -> Call:
        purchase = Purchase(
            source="pos",
            order_id=order,
            account=chain.account,
            wallet=chain.wallet,
            currency="EUR",
            lines=tuple(Line(amount, quantity) for amount, quantity in bought),
            occurred=occurred,
            store="1",
            channel="store",
        )
        return lambda cause, now: self.world.earning.record(PROGRAM, purchase, cause, now)

    @rule(chain=which, bought=lines, ago=st.sampled_from([0, 0, 3_600, 10 * DAY, 100 * DAY, -DAY]))
    def buy(self, chain: int, bought: list[tuple[int, int]], ago: int) -> None:
        where, occurred, order = CHAINS[chain], self.now - ago, f"order-{len(self.plain.orders)}"

        def expect(plain: Plain) -> dict[str, object]:
            account = self._account(plain, where)
            expiry, start = self.terms.of(occurred, self.now)
            made = PlainOrder(account, bought, self.terms.rate, expiry, start, self.terms.policy)
            plain.orders["pos", order] = made
            if not self.world.shelf.in_force or where.wallet != RULED:
                points = account.buy(made.amount, self.terms.rate, expiry, start, day_of(occurred))
                return {"points": points, "order": order, "awards": None, "rules": None}
            made.awards, given = account.buy_by_rules(made.amount, expiry, start, day_of(occurred))
            told = given if [name for name, _ in given] not in ([], ["base"]) else None
            return {"points": sum(points for _, points in given), "order": order, "awards": told, "rules": 1}

        posted = self._attempt(self._buy(where, order, bought, occurred), expect, occurred)
        if posted is not None:
            self.plain.purchases["pos", order] = (where, bought, posted.entry.hash)

    @precondition(lambda self: self.world.shelf.in_force)
    @rule(chain=which, euros=st.sampled_from([15, 60, 110]), days=st.permutations([0, 6, 40]))
    def buy_much_and_report_some_of_it_late(self, chain: int, euros: int, days: list[int]) -> None:
        """What reaches the caps, of one period or the other."""
        for ago in days:
            self.buy(chain, [(euros * 100, 1)], ago * DAY)

    @precondition(lambda self: self.world.shelf.in_force)
    @rule(chain=which, bought=lines, part=st.fractions(0, 1))
    def buy_and_bring_all_of_it_back_in_two_parts(
        self, chain: int, bought: list[tuple[int, int]], part: Fraction
    ) -> None:
        self.buy(chain, [*bought, (2_100, 1)], 0)
        last = len(self.plain.orders) - 1
        for index, key in enumerate(sorted(self.plain.orders)):
            if key[1] == f"order-{last}":
                self.give_back(index, "amount", part, 0)
                self.give_back(index, "rest", part, 0)

    @precondition(lambda self: self.world.shelf.in_force)
    @rule(chain=which, days=st.permutations([0, 1, 2, 3]))
    def walk_for_days(self, chain: int, days: list[int]) -> None:
        for ago in days:
            self.do_something_that_rules_know(chain, "walk", ago * DAY)

    @precondition(lambda self: self.plain.purchases)
    @rule(index=any_index, change=st.sampled_from(["nothing", "amount", "account"]))
    def report_a_purchase_again_under_a_new_key(self, index: int, change: str) -> None:
        """I4: whoever reports it, it earns once; with other content it is a conflict."""
        (_, order), (chain, bought, hash_) = sorted(self.plain.purchases.items())[index % len(self.plain.purchases)]
        if change == "amount":
            bought = [(bought[0][0] + 1, bought[0][1]), *bought[1:]]
        elif change == "account":
            chain = CHAINS[(CHAINS.index(chain) + 1) % 3]
        account = self._account(self.plain, chain)
        before = self.world.engine.fingerprint() if self._rows(chain) else None
        call = self._buy(chain, order, bought, self.now)
        if account.status == "closed" or change != "nothing":
            with pytest.raises(Problem) as problem:
                call(self._cause(), self.now)
            assert problem.value.code == ("ACCOUNT_CLOSED" if account.status == "closed" else "PURCHASE_CONFLICT")
        else:
            posted = call(self._cause(), self.now)
            assert (posted.replayed, posted.entry.hash) == (True, hash_)
        assert before in (None, self.world.engine.fingerprint())

    @rule(chain=which, event=st.sampled_from(sorted(EVENTS)), ago=st.sampled_from([0, 3_600, 60 * DAY]))
    def bonus(self, chain: int, event: str, ago: int) -> None:
        where, occurred = CHAINS[chain], self.now - ago

        def expect(plain: Plain) -> dict[str, object]:
            self._account(plain, where).add(EVENTS[event], *self.terms.of(occurred, self.now))
            return {"points": EVENTS[event], "event": event}

        earning = self.world.earning
        self._attempt(
            lambda cause, now: earning.activity.post(PROGRAM, where.account, where.wallet, event, occurred, cause, now),
            expect,
        )

    @precondition(lambda self: self.world.shelf.in_force)
    @rule(chain=which, event=st.sampled_from(["walk", "trade"]), ago=st.sampled_from([0, 0, 0, DAY, 40 * DAY]))
    def do_something_that_rules_know(self, chain: int, event: str, ago: int) -> None:
        where, occurred = CHAINS[chain], self.now - ago
        number = self._next(where)

        def expect(plain: Plain) -> dict[str, object]:
            if where.wallet != RULED:
                raise No("EVENT_TYPE_UNKNOWN")
            account = self._account(plain, where)
            if event == "walk":
                points = account.walk(day_of(occurred), *replace(self.terms, delay_days=0).of(occurred, self.now))
            else:
                points = 7
                account.trade(points, replace(self.terms, delay_days=0).of(occurred, self.now)[0], number)
            return {"points": points, "event": event, "rules": 1}

        post = self.world.earning.activity.post
        self._attempt(
            lambda cause, now: post(PROGRAM, where.account, where.wallet, event, occurred, cause, now), expect
        )

    @precondition(lambda self: self.world.shelf.in_force and any(one.waiting for one in self.plain.accounts.values()))
    @rule(index=any_index, accepted=st.booleans())
    def decide_on_what_waits(self, index: int, accepted: bool) -> None:
        known = [(chain, number) for chain, account in self.plain.accounts.items() for number in account.waiting]
        where, number = known[index % len(known)]
        event = "accepted" if accepted else "refused"

        def expect(plain: Plain) -> dict[str, object]:
            return {"points": self._account(plain, where).decide(number, accepted), "of": number, "event": event}

        post, of = self.world.earning.activity.post, Located(where.account, where.wallet, number)
        cause = self._cause()
        self._attempt(
            lambda cause, now: post(PROGRAM, where.account, where.wallet, event, self.now, cause, now, of=of), expect
        )
        if self.plain.accounts[where].status != "closed":
            other = "refused" if accepted else "accepted"
            with pytest.raises(Conflict, match="the other way"):
                post(PROGRAM, where.account, where.wallet, other, self.now, cause, self.now, of=of)

    # ---- returning a purchase

    @precondition(lambda self: self.plain.orders)
    @rule(
        index=any_index,
        how=st.sampled_from(["rest", "amount", "line", "pieces", "part of a line"]),
        share=st.fractions(0, Fraction(11, 10)),
        line=any_index,
    )
    def give_back(self, index: int, how: str, share: Fraction, line: int) -> None:
        key = sorted(self.plain.orders)[index % len(self.plain.orders)]
        order = self.plain.orders[key]
        at = line % len(order.lines)
        worth, pieces = order.lines[at]
        amount = max(1, floor(share * (order.amount if how == "amount" else worth)))
        count = max(1, floor(share * pieces))
        back = {
            "rest": Return(),
            "amount": Return(amount=amount),
            "line": Return((ReturnLine(at + 1),)),
            "pieces": Return((ReturnLine(at + 1, quantity=count),)),
            "part of a line": Return((ReturnLine(at + 1, amount=amount),)),
        }[how]

        def expect(plain: Plain) -> dict[str, object]:
            mine = plain.orders[key]
            before, there = mine.returned, not mine.came_back
            if how == "rest":
                taken = mine.take_rest()
            elif how == "amount":
                taken = mine.take_amount(amount)
            else:
                only_pieces, only_amount = how == "pieces", how == "part of a line"
                taken = mine.take_line(at, count if only_pieces else None, amount if only_amount else None)
            due, forgiven, _ = mine.account.give_back_purchase(
                mine.shares(before), there and mine.came_back, mine.expiry, mine.start, mine.policy
            )
            return {
                "points": due,
                "forgiven": forgiven or None,
                "amount": taken,
                "returned": mine.returned,
                "order": key[1],
            }

        self._attempt(
            lambda cause, now: self.world.earning.take_back(PROGRAM, *key, lambda _: back, cause, now), expect
        )

    # ---- spending

    def _asked(self, chain: Chain, points: int, exactly: str) -> int:
        """Some of what is there, or exactly that, or one more than that."""
        account = self.plain.accounts.get(chain)
        there = account.available if account else 0
        return {"some": min(points, there), "all": there, "one more": there + 1}[exactly] or points

    @rule(chain=which, points=some_points, exactly=amounts)
    def redeem(self, chain: int, points: int, exactly: str) -> None:
        where = CHAINS[chain]
        asked, number = self._asked(where, points, exactly), self._next(where)

        def expect(plain: Plain) -> dict[str, object]:
            self._account(plain, where).redeem(asked, number)
            return {"points": asked, "for": "coffee"}

        self._attempt(lambda cause, now: self.world.wallets.redeem(where, asked, "coffee", cause, now), expect)

    @precondition(lambda self: any(account.spent for account in self.plain.accounts.values()))
    @rule(index=any_index)
    def cancel(self, index: int) -> None:
        where, number = self._pick(index, lambda account: sorted(account.spent))

        def expect(plain: Plain) -> dict[str, object]:
            return {"points": self._account(plain, where).cancel(number), "of": number}

        self._attempt(lambda cause, now: self.world.wallets.cancel(where, number, cause, now), expect)

    @rule(
        chain=which,
        points=some_points,
        exactly=amounts,
        seconds=deadlines,
        offline=st.booleans(),
    )
    def hold(self, chain: int, points: int, exactly: str, seconds: int, offline: bool) -> None:
        where, deadline = CHAINS[chain], self.now + seconds
        asked, number = self._asked(where, points, exactly), self._next(where)

        def expect(plain: Plain) -> dict[str, object]:
            self._account(plain, where).hold(asked, deadline, offline, number)
            return {"points": asked, "deadline": deadline, "offline": offline}

        self._attempt(lambda cause, now: self.world.wallets.hold(where, asked, deadline, offline, cause, now), expect)

    def _pick_hold(self, index: int) -> tuple[Chain, int]:
        """A hold that is or, less often, was."""
        return self._pick(index, lambda account: sorted(account.holds) * 3 + sorted(account.gone_holds))

    @precondition(lambda self: self.plain.orders)
    @rule(index=any_index)
    def spend_everything_and_bring_a_purchase_back(self, index: int) -> None:
        """What leads to arrears, which what comes next repays."""
        key = sorted(self.plain.orders)[index % len(self.plain.orders)]
        self.redeem(CHAINS.index(self.plain.purchases[key][0]), 1, "all")
        self.give_back(index, "rest", Fraction(1), 0)

    def _any_holds(self) -> bool:
        return any(account.holds or account.gone_holds for account in self.plain.accounts.values())

    @precondition(_any_holds)
    @rule(
        index=any_index,
        points=st.none() | st.integers(1, 60),
        final=st.booleans(),
        allowed=st.sampled_from([True, True, False]),
    )
    def capture(self, index: int, points: int | None, final: bool, allowed: bool) -> None:
        where, hold = self._pick_hold(index)
        number = self._next(where)

        def expect(plain: Plain) -> dict[str, object]:
            spent, back, left = self._account(plain, where).capture(hold, points, final, allowed, number)
            return {"points": spent, "hold": hold, "released": back, "left": left}

        wallets = self.world.wallets
        self._attempt(lambda cause, now: wallets.capture(where, hold, points, final, allowed, cause, now), expect)

    @precondition(_any_holds)
    @rule(index=any_index, allowed=st.sampled_from([True, True, False]))
    def release(self, index: int, allowed: bool) -> None:
        where, hold = self._pick_hold(index)

        def expect(plain: Plain) -> dict[str, object]:
            return {"points": self._account(plain, where).release(hold, allowed), "hold": hold}

        self._attempt(lambda cause, now: self.world.wallets.release(where, hold, cause, now, allowed), expect)

    # ---- what operators do

    @rule(chain=which, points=some_points, days=expiries, up=st.booleans())
    def adjust(self, chain: int, points: int, days: int, up: bool) -> None:
        where, change = CHAINS[chain], points if up else -points
        expiry = (self.now // DAY + days) * DAY if days else 0

        def expect(plain: Plain) -> dict[str, object]:
            self._account(plain, where).adjust(change, expiry)
            return {"points": change, "reason": "counted"}

        self._attempt(
            lambda cause, now: self.world.wallets.adjust(where, change, expiry, "counted", cause, now), expect
        )

    @rule(chain=which, to=which, points=some_points, exactly=amounts)
    def transfer(self, chain: int, to: int, points: int, exactly: str) -> None:
        source, target = CHAINS[chain], CHAINS[to]
        asked = self._asked(source, points, exactly)

        def expect(plain: Plain) -> dict[str, object]:
            if source == target:
                raise No("TRANSFER_SAME_ACCOUNT")
            sender, receiver = self._account(plain, source), self._account(plain, target)
            sender.send(asked, receiver)
            return {"points": asked, "to": f"{target.account}/{target.wallet}"}

        wallets = self.world.wallets
        self._attempt(lambda cause, now: wallets.transfer(source, target, asked, "gift", cause, now), expect)

    @rule(chain=which)
    def expire(self, chain: int) -> None:
        """What a sweep writes down, the model has lived through already."""
        where = CHAINS[chain]

        def expect(plain: Plain) -> dict[str, object]:
            self._account(plain, where).usable()
            return {}

        self._attempt(lambda cause, now: self.world.wallets.expire(where, cause, now), expect)

    @rule(chain=which, status=st.sampled_from(["open", "open", "frozen"]))
    def set_status(self, chain: int, status: str) -> None:
        where = CHAINS[chain]

        def expect(plain: Plain) -> dict[str, object]:
            self._account(plain, where).set_status(status)
            return {"reason": "doubt"}

        self._attempt(lambda cause, now: self.world.wallets.set_status(where, status, "doubt", cause, now), expect)

    @precondition(lambda self: len(self.done) > 12)
    @rule(chain=which, forfeit=st.booleans(), sure=st.sampled_from([True, False, False]))
    def close(self, chain: int, forfeit: bool, sure: bool) -> None:
        """Seldom done: nothing comes after it."""
        where = CHAINS[chain]
        account = self.plain.accounts.get(where)
        if account is not None and account.available + account.pending and forfeit and not sure:
            forfeit = False

        def expect(plain: Plain) -> dict[str, object]:
            self._account(plain, where).close(forfeit)
            return {"reason": "moved"}

        self._attempt(lambda cause, now: self.world.wallets.close(where, "moved", forfeit, cause, now), expect)

    # ---- the same again

    @precondition(lambda self: self.done)
    @rule(index=any_index)
    def send_a_request_again(self, index: int) -> None:
        """I3: the first answer comes back, and nothing is written, whatever has happened since."""
        before = self.world.engine.fingerprint()
        done = self.done[index % len(self.done)]
        self.world.shelf.in_force = 1  # a type of event that nobody knows any more is refused first
        posted = done.call(done.cause, self.now)
        assert (posted.replayed, posted.entry.hash) == (True, done.hash)
        assert self.world.engine.fingerprint() == before

    @precondition(lambda self: self.done)
    @rule(index=any_index)
    def send_another_request_under_the_same_key(self, index: int) -> None:
        """I3: a conflict, and nothing is written."""
        before = self.world.engine.fingerprint()
        done = self.done[index % len(self.done)]
        self.world.shelf.in_force = 1
        changed = Cause(done.cause.ref, "another print", done.cause.actor, done.cause.occurred)
        with pytest.raises(Conflict) as conflict:
            done.call(changed, self.now)
        assert conflict.value.code == "IDEMPOTENCY_KEY_REUSED"
        assert self.world.engine.fingerprint() == before

    # ---- what is always true

    @invariant()
    def i1_changes_add_up_to_the_balances_state_by_state(self) -> None:
        for chain in self._changed("i1"):
            entries = self._entries(chain)
            sums: Counter[str] = Counter()
            for entry in entries:
                sums.update(moved(entry))
                assert +sums == +stored(entry["s"])

    @invariant()
    def i2_no_state_of_any_wallet_was_ever_below_zero(self) -> None:
        for chain in self._changed("i2"):
            for entry in self._entries(chain):
                lots = [
                    numbers(entry["s"].get("l", ""))[2::2],
                    entry["s"].get("n", [])[3::3],
                    entry["s"].get("w", [])[2::2],
                ]
                assert all(points > 0 for kind in lots for points in kind)
                assert all(points > 0 for hold in entry["s"].get("h", []) for _, points in hold[3])
                assert entry["s"].get("a", 0) >= 0

    @invariant()
    def i3_no_reference_has_two_entries(self) -> None:
        for chain in self._changed("i3"):
            refs = Counter(row["ref"] for row in self._rows(chain))
            assert [ref for ref, count in refs.items() if count > 1] == []

    @invariant()
    def i4_every_order_earned_once_in_the_whole_programme(self) -> None:
        earned = Counter(
            (entry["d"]["source"], entry["d"]["order"])
            for chain in self._begun()
            for entry in self._entries(chain)
            if entry["k"] == "earned" and "order" in entry["d"]
        )
        assert earned == Counter(dict.fromkeys(self.plain.orders, 1))

    @invariant()
    def i5_returns_of_an_order_add_up_to_what_its_document_says_and_never_to_more_than_it_was(self) -> None:
        returned: Counter[tuple[str, str]] = Counter()
        for chain in self._begun():
            for entry in self._entries(chain):
                if entry["k"] == "reversed":
                    returned[entry["d"]["source"], entry["d"]["order"]] += entry["d"]["amount"]
        for (source, order_id), plain in self.plain.orders.items():
            order = self.world.orders.get(PROGRAM, source, order_id)
            assert order is not None
            assert order.returned_amount == returned[source, order_id] == plain.returned <= order.amount == plain.amount

    @invariant()
    def i6_entries_are_numbered_without_gaps_and_each_hash_covers_the_one_before(self) -> None:
        for chain in self._changed("i6"):
            previous = ""
            for number, entry in enumerate(self._entries(chain), 1):
                row = entry["row"]
                assert row["sk"] == f"E#{number:012d}"
                assert entry["p"] == previous
                previous = sha(chain.pk, row["sk"], row["ref"], row["body"])
                assert row["hash"] == previous
            assert self.world.wallets.verify(chain) == (len(self._rows(chain)), None)

    @invariant()
    def i7_a_balance_read_is_what_a_spend_would_be_allowed_whether_or_not_a_sweep_has_run(self) -> None:
        for chain in self._begun():
            account = self.plain.accounts[chain]
            read = self.world.wallets.state(chain, self.now)
            balance = read.balance()
            assert (balance.available, balance.pending) == (account.available, account.pending)
            assert (balance.held, balance.arrears) == (account.held, account.owed)
            assert not (balance.available and balance.arrears)
            if account.status == "open":
                aside = self.world.beside().wallets
                with pytest.raises(Problem) as problem:
                    aside.redeem(chain, balance.available + 1, "", Cause("k#aside#1", "", "", 0), self.now)
                assert problem.value.figures == {"available": balance.available, "missing_points": 1}
                if balance.available:
                    aside.redeem(chain, balance.available, "", Cause("k#aside#2", "", "", 0), self.now)

    @invariant()
    def i8_replaying_the_entries_rebuilds_the_stored_account_to_the_byte(self) -> None:
        for chain in self._changed("i8"):
            rebuilt = canonical(self.world.wallets.rebuild(chain).encode())
            assert self._rows(chain)[-1]["body"].endswith(f',"s":{rebuilt}}}')

    @invariant()
    def i9_every_point_keeps_the_terms_it_was_earned_under(self) -> None:
        for chain in self._begun():
            account = self.plain.accounts[chain]
            read = self.world.wallets.state(chain, self.now)
            assert read.lots == account.heap()
            held = {
                number: (hold.deadline, hold.offline, sorted(hold.parts.items())) for number, hold in read.holds.items()
            }
            promised = {
                number: (hold.deadline, hold.offline, sorted(by_expiry(hold.packets).items()))
                for number, hold in account.holds.items()
            }
            assert held == promised
            assert read.lapsed == account.lost
            assert (read.status, read.kind) == (account.status, account.kind)

    @invariant()
    def i10_points_are_whole_and_what_rounding_left_over_is_exact(self) -> None:
        for chain in self._changed("i10"):
            issued = 0
            for entry in self._entries(chain):
                assert not any(isinstance(number, float) for number in numbers_in([entry["m"], entry["d"], entry["s"]]))
                if entry["k"] == "earned" and "order" in entry["d"]:
                    issued += entry["d"]["points"]
                elif entry["k"] == "reversed":
                    issued -= entry["d"]["points"]
            exact = self.plain.accounts[chain].earned
            carried = {rule: Fraction(*rest) for rule, rest in self._entries(chain)[-1]["s"].get("r", {}).items()}
            assert issued + sum(carried.values()) == sum(exact.values())
            assert carried == {rule: earned % 1 for rule, earned in exact.items() if earned % 1}

    @invariant()
    def what_was_counted_is_what_stands(self) -> None:
        for chain in self._changed("counts"):
            account = self.plain.accounts[chain]
            state = self.world.store.head(chain).state  # type: ignore[union-attr]  # the wallet has entries
            assert state.purchases == account.purchases
            assert (state.first, state.last) == (min(account.visits, default=0), max(account.visits, default=0))
            assert (state.counted, state.counters) == (
                account.counting_day,
                {name: used for name, used in account.used.items() if used},
            )
            runs = {"walk": (max(account.run), len(account.run))} if account.run else {}
            assert state.streaks == runs

    def teardown(self) -> None:
        """I6: whatever entry is changed, removed or moved, it is named."""
        for chain in self._begun():
            rows = self._rows(chain)
            for number in {1, (len(rows) + 1) // 2, len(rows)}:
                body, hash_ = rows[number - 1]["body"], rows[number - 1]["hash"]
                assert self._first_wrong(chain, number, {"body": body.replace('"o":', '"o":1')}) == number
                assert self._first_wrong(chain, number, {"hash": hash_[::-1]}) == number
                if number < len(rows):
                    assert self._first_wrong(chain, number, None) == number

    def _first_wrong(self, chain: Chain, number: int, change: dict[str, str] | None) -> int | None:
        aside = self.world.beside()
        client = Client(aside.engine, validate=False)
        row = self._rows(chain)[number - 1]
        if change is None:
            client.delete_item(TableName=TABLE, Key={"pk": {"S": row["pk"]}, "sk": {"S": row["sk"]}})
        else:
            client.put_item(TableName=TABLE, Item={name: {"S": text} for name, text in {**row, **change}.items()})
        _, finding = aside.wallets.verify(chain)
        return None if finding is None else finding.number


TestLedgerMachine = LedgerMachine.TestCase
TestLedgerMachine.settings = settings(
    max_examples=examples(2),
    stateful_step_count=40,
    phases=[Phase.generate, Phase.shrink],  # explaining a failure takes minutes and says little about a long story
)
