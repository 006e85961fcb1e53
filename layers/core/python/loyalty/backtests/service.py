"""Use cases of backtests: begin one, work off a page of it, look at it.

A page is worked off by whoever gets its message. What is kept of its shard says whether that has been done, so a
message that comes twice changes nothing: one for a page that is done is sent on once more, in case the worker that did
it died before it could; one that lags further behind is dropped.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from loyalty.backtests.backtest import (
    MAX_DAYS,
    SHARDS,
    Asked,
    Backtest,
    Finished,
    Progress,
    Shard,
    progress,
)
from loyalty.backtests.figures import Figures, merged, set_aside
from loyalty.backtests.replay import History, Replay
from loyalty.backtests.store import BacktestStore, OrderName
from loyalty.backtests.views import FiguresView, figures_view, finished_of
from loyalty.earning.purchase import Order
from loyalty.errors import Invalid, NotFound, Problem
from loyalty.ids import ulid
from loyalty.ledger.account import State
from loyalty.ledger.chain import Chain, Entry
from loyalty.ledger.service import Ledger
from loyalty.members.member import Member
from loyalty.programs.terms import Program
from loyalty.rules.evaluation import Evaluator
from loyalty.rules.ruleset import RuleSet

ACCOUNTS: Final = 200
"""Wallets of a page, which has every account with all of its own."""
MOST_ENTRIES: Final = 5_000
"""A page ends early once it has read so many entries."""
MOST_OF_ONE: Final = 20_000
"""An account with more entries in the window is set aside."""
_STRIDES: Final = (8, 64, 200)
"""Entries read at once, fewer first: most accounts have few in the window."""
LATE_SECONDS: Final = 86_400
"""How far in the future of its recording a thing may be said to have happened."""

Message = dict[str, Any]


class Report(Struct, frozen=True):
    """A backtest as it stands."""

    backtest: Backtest
    progress: Progress
    figures: FiguresView | None


class TooMany(Exception):
    """An account has too many entries to be replayed."""


class Backtests:
    """Backtests of every programme.

    ``rules_of`` gives the id and the checked rules of a draft or a version; NotFound when there is none. ``evaluator``
    makes something that evaluates them. ``send`` hands a message to a worker.
    """

    def __init__(
        self,
        store: BacktestStore,
        ledger: Ledger,
        program: Callable[[str], Program],
        rules_of: Callable[[str, str], tuple[str, RuleSet]],
        evaluator: Callable[[RuleSet], Evaluator],
        send: Callable[[Message], None],
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._program = program
        self._rules_of = rules_of
        self._send = send
        self._evaluator = lru_cache(maxsize=4)(lambda backtest: evaluator(store.rules(backtest)))

    def begin(self, program: str, rule_set: str, asked: Asked, actor: str, now: int, randomness: bytes) -> Report:
        """Begin to try a rule set on what happened on the ``asked`` days. NotFound when there is no such rule set."""
        own, rules = self._rules_of(program, rule_set)
        since, until = window(asked, self._program(program).timezone, now)
        backtest = Backtest(
            id=f"sim_{ulid(now * 1000, randomness)}",
            program=program,
            rule_set=own,
            name=rules.name,
            since=since,
            until=until,
            started=now,
            actor=actor,
            chunks=0,
        )
        backtest = self._store.begin(backtest, rules)
        for shard in range(SHARDS):
            self._send(message(backtest, shard, 1))
        return Report(backtest, progress(backtest, (), now), None)

    def report(self, program: str, simulation: str, now: int) -> Report:
        """How far a backtest has come, or what it found; NotFound."""
        found = self._store.get(program, simulation)
        if found is None:
            raise NotFound("SIMULATION_NOT_FOUND", "There is no such simulation in this programme")
        backtest, figures = found
        return Report(backtest, progress(backtest, self._store.standing(backtest), now), figures)

    def latest(self, program: str, rule_set: str) -> Finished | None:
        """The newest finished backtest of this very rule set."""
        return self._store.latest(program, rule_set)

    def work(self, program: str, simulation: str, number: int, page: int, now: int) -> dict[str, int]:
        """Work off one page of a shard and ask for the next; counts for the log. What fails on the way is written down
        and raised, so that the message comes again.
        """
        found = self._store.get(program, simulation)
        if found is None:
            return {"unknown": 1}
        backtest, figures = found
        shard, sums = self._store.shard(backtest, number)
        if figures is not None or shard.page > page:
            return {"known": 1}
        if shard.page == page:
            self._go_on(backtest, shard, now)
            return {"known": 1}
        try:
            shard, more = self._page(backtest, shard, now)
        except Exception as error:
            reason = error.code if isinstance(error, Problem) else type(error).__name__
            tried = replace(shard, tries=shard.tries + 1, reason=reason, changed=now)
            self._store.note(backtest, tried, sums)
            raise
        sums.add(more)
        if not self._store.keep(backtest, shard, sums):
            return {"known": 1}
        self._go_on(backtest, shard, now)
        return {"accounts": more.accounts, "set_aside": more.aside}

    def _go_on(self, backtest: Backtest, shard: Shard, now: int) -> None:
        """Ask for the next page; after the last one of all shards, add up."""
        if not shard.done:
            self._send(message(backtest, shard.number, shard.page + 1))
            return
        parts = self._store.shards(backtest)
        if sum(part.done for part, _ in parts) < SHARDS:
            return
        figures = figures_view(merged(figures for _, figures in parts), self._evaluator(backtest).rules)
        done = replace(backtest, finished=now)
        self._store.announce(backtest.program, finished_of(done, figures, now))
        self._store.finish(done, figures)

    def _page(self, backtest: Backtest, shard: Shard, now: int) -> tuple[Shard, Figures]:
        """The sums of a shard's next accounts, and the shard after them."""
        program = backtest.program
        known = shard.known if shard.page else self._store.count(program, shard.number)
        accounts, after = self._store.accounts(program, shard.number, shard.cursor, ACCOUNTS)
        policy = self._program(program)
        asked = Replay(self._evaluator(backtest), policy, backtest.since, backtest.until)
        figures = Figures()
        histories: dict[str, list[History]] = {}
        entries = 0
        cursor = after
        for account, wallets in accounts:
            try:
                histories[account] = [
                    self._history(Chain(program, account, wallet), asked.begins - LATE_SECONDS) for wallet in wallets
                ]
            except TooMany:
                figures.add(set_aside(account, "more entries than can be replayed"))
            entries += sum(len(history.entries) for history in histories.get(account, ()))
            if entries > MOST_ENTRIES:
                last = account == accounts[-1][0]
                cursor = after if last else f"{account}#{wallets[-1]}"
                break
        self._replay(asked, program, histories, figures)
        shard = Shard(
            number=shard.number,
            page=shard.page + 1,
            cursor=cursor,
            done=not cursor,
            known=known,
            accounts=shard.accounts + figures.accounts,
            changed=now,
        )
        return shard, figures

    def _replay(self, asked: Replay, program: str, histories: Mapping[str, list[History]], figures: Figures) -> None:
        live = {account: each for account, each in histories.items() if any(history.entries for history in each)}
        orders = self._store.orders(
            program, {name for each in live.values() for history in each for name in history.orders}
        )
        members = self._store.members(program, live)
        figures.accounts += len(histories) - len(live)
        for account, each in live.items():
            figures.add(_replayed(asked, account, each, orders, members.get(account)))

    def _history(self, chain: Chain, since: int) -> History:
        """What a wallet's chain has recorded from ``since`` on, and its state before that."""
        entries: list[Entry] = []
        before: int | None = None
        strides = iter(_STRIDES)
        stride = next(strides)
        while True:
            page, before = self._ledger.store.newest(chain, stride, before)
            for entry in page:
                if entry.recorded < since:
                    return History(chain, entry.state, entries[::-1])
                entries.append(entry)
            if before is None:
                return History(chain, State(), entries[::-1])
            if len(entries) > MOST_OF_ONE:
                raise TooMany
            stride = next(strides, stride)


def _replayed(
    asked: Replay, account: str, histories: list[History], orders: Mapping[OrderName, Order], member: Member | None
) -> Figures:
    """One account's figures; whatever is wrong with it leaves the others as they are."""
    try:
        return asked.account(account, histories, orders, member)
    except Exception as error:  # noqa: BLE001 - one account that cannot be replayed never ends the others' replay
        return set_aside(account, f"{type(error).__name__}: {error}")


def window(asked: Asked, timezone: str, now: int) -> tuple[int, int]:
    """First and last day as ordinals in the programme's zone; Invalid when they are not days that have been."""
    today = datetime.fromtimestamp(now, ZoneInfo(timezone)).toordinal()
    until = today
    if asked.until:
        try:
            until = date.fromisoformat(asked.until).toordinal()
        except ValueError:
            raise Invalid("REQUEST_INVALID", "until is no day", field="until") from None
        if until > today:
            raise Invalid("REQUEST_INVALID", "until lies in the future", field="until")
    if not 1 <= asked.days <= min(MAX_DAYS, until):
        raise Invalid("REQUEST_INVALID", f"days must be 1 to {MAX_DAYS}", field="days")
    return until - asked.days + 1, until


def message(backtest: Backtest, shard: int, page: int) -> Message:
    """What a worker is sent."""
    return {"program": backtest.program, "simulation": backtest.id, "shard": shard, "page": page}
