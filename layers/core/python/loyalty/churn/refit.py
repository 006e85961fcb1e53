"""The scheduled fit: read how a sample of members bought, hold the last weeks back, fit on what was before, try it on
what was held back, and put it in force unless it is worse than what is.

The parameters put in force are the very ones that were tried. Chains are read, not accounts: an account knows how often
and since when, a chain on which days, and the models speak of days.
"""

from collections.abc import Callable, Iterable
from datetime import date
from typing import Final

from loyalty.churn import batch, fit, history
from loyalty.churn.alert import Watch, watch_of
from loyalty.churn.history import DAYS_IN_WEEK, Record
from loyalty.churn.model import Buyer, Purchasing
from loyalty.churn.parameters import WEEKS_HELD_BACK, Attempt, Parameters, Quality, refusal, sound
from loyalty.churn.store import ChurnStore
from loyalty.ledger.chain import Chain, Entry
from loyalty.ledger.service import Ledger
from loyalty.programs.terms import Program
from loyalty.table import keys

SAMPLE: Final = 4_000
"""Members at most; the published fits are on 2,357. A tenth more would not change the third digit."""
FEWEST_WEEKS: Final = 8
"""Of purchases, below which nothing is fitted."""

Days = dict[date, float]


class Refit:
    """``policy`` gives a programme's policy."""

    def __init__(self, store: ChurnStore, ledger: Ledger, policy: Callable[[str], Program]) -> None:
        self._store = store
        self._ledger = ledger
        self._policy = policy

    def run(self, program: str, now: int) -> Attempt | None:
        """Fit a programme's parameters and put them in force, or say why not. None where nobody is watched."""
        policy = self._policy(program)
        watch = watch_of(policy)
        if watch is None:
            return None
        customers, newest = self.sample(policy)
        last = self._store.current(program)
        try:
            found = fitted(customers, date.fromordinal(policy.day(now) - 1), last.version + 1 if last else 1, now)
        except fit.TooFew as error:
            attempt = Attempt(now, 0, str(error), len(customers))
        else:
            parameters, tried = found
            before = None if last is None else score(last.purchasing, tried).log_score
            refused = refusal(parameters, watch.by, before)
            if not refused and not self._store.publish(program, parameters):
                refused = "others were put in force meanwhile"
            version = 0 if refused else parameters.version
            risk = at_risk(newest, parameters.purchasing, watch, policy.day(now))
            attempt = Attempt(now, version, refused, parameters.members, parameters.quality, risk)
        self._store.note(program, attempt)
        return attempt

    def sample(self, policy: Program) -> tuple[dict[str, Days], list[str]]:
        """How members bought, by day, and the text of each one's newest entry: as many as ``SAMPLE``, spread evenly
        over whole shards of the accounts.
        """
        accounts: list[str] = []
        for shard in range(keys.HEAD_SHARDS):
            accounts += self._store.accounts(policy.program, shard, policy.wallets[0])
            if len(accounts) >= SAMPLE:
                break
        step = max(1, len(accounts) // SAMPLE)
        customers: dict[str, Days] = {}
        newest: list[str] = []
        for account in accounts[::step][:SAMPLE]:
            entries = list(self._ledger.store.oldest(Chain(policy.program, account, policy.wallets[0])))
            days = bought(entries)
            if days:
                customers[account] = days
                newest.append(entries[-1].body)
        return customers, newest


def at_risk(newest: list[str], model: Purchasing, watch: Watch, day: int) -> float:
    """The share of members whose chance is at or below the threshold on a day."""
    columns = batch.buyers(newest, day)
    if watch.by == "return":
        chances = batch.returns(model, watch.horizon_days / DAYS_IN_WEEK, *columns)
    else:
        chances = batch.alive(model, *columns)
    return float((chances <= watch.threshold).mean()) if len(chances) else 0.0


def bought(entries: Iterable[Entry]) -> Days:
    """The days on which purchases were made that stand, and what was spent on them, in minor units."""
    spent: dict[int, float] = {}
    visits: dict[int, int] = {}
    for entry in entries:
        if entry.state.kind != "member":
            return {}
        for move in entry.moves:
            if move[1] == "y" and (move[3] or move[5]):
                day, spend, count = move[2], move[3], move[5]
            elif move[1] == "p" and move[2] > 0:  # before figures were kept; what came back then says no day
                day, spend, count = move[3], entry.detail.get("amount", 0), move[2]
            else:
                continue
            spent[day] = spent.get(day, 0.0) + spend
            visits[day] = visits.get(day, 0) + count
    return {date.fromordinal(day): max(0.0, spent[day]) for day in sorted(visits) if visits[day] > 0}


Tried = list[tuple[Record, Buyer]]
"""Customers as they were when the weeks held back began, and after them."""


def fitted(customers: dict[str, Days], last: date, version: int, now: int) -> tuple[Parameters, Tried]:
    """Parameters fitted on all but the last weeks up to ``last``, and the customers that they were tried on. TooFew
    when there is too little to fit.
    """
    first = min((day for days in customers.values() for day in days), default=last)
    weeks = (last - first).days // DAYS_IN_WEEK
    if weeks < FEWEST_WEEKS:
        raise fit.TooFew(f"{weeks} weeks of purchases; at least {FEWEST_WEEKS} are needed")
    held = min(WEEKS_HELD_BACK, weeks // 4) * DAYS_IN_WEEK
    until = date.fromordinal(last.toordinal() - held)
    past = {name: {day: spend for day, spend in days.items() if day <= last} for name, days in customers.items()}
    records = history.records(past, until)
    after = {one.customer: one.buyer for one in history.records(past, last)}
    tried = [(one, after[one.customer]) for one in records]
    columns = fit.columns(records)
    purchasing = fit.purchasing(*columns)
    try:
        spending = sound(fit.all_spending(past, until).model)
    except fit.TooFew:
        spending = None
    quality = score(purchasing.model, tried)
    return Parameters(version, now, until.toordinal(), len(records), purchasing.model, spending, quality), tried


def score(model: Purchasing, tried: Tried) -> Quality:
    """How well a model foretells the days held back."""
    days = round((tried[0][1].age - tried[0][0].buyer.age) * DAYS_IN_WEEK)
    ahead = days / DAYS_IN_WEEK
    gained = sum(model.log_likelihood(after) - model.log_likelihood(one.buyer) for one, after in tried)
    expected = sum(model.expected(one.buyer, ahead) for one, _ in tried)
    return Quality(days, len(tried), gained / len(tried), sum(one.held_back for one, _ in tried), expected)
