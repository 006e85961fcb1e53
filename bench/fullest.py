"""The entry of a purchase on an account that has everything: how many bytes it takes."""

from typing import Final

from msgspec.structs import replace

from bench.shop import CLIENT, NOW, POLICY, PROGRAM
from loyalty.earning.offers import rule_of
from loyalty.ledger import commands
from loyalty.ledger.account import Draft, Figures, Multiplier, State, month_of
from loyalty.ledger.chain import Cause, Chain, Entry, fingerprint, seal
from loyalty.ledger.commands import Award
from loyalty.ledger.store import item_of
from loyalty.programs.policy import check
from loyalty.programs.terms import Program
from loyalty.values import Rate

LOTS: Final = 24
RECENT: Final = 6
MONTHLY: Final = Figures(199_900, 2_100, 3)


def size(entry: Entry) -> int:
    """Bytes as DynamoDB counts an item: names and values."""
    return sum(len(name) + len(str(value).encode()) for name, value in item_of(entry).items())


def entry(*, months: int = 12, monthly: Figures = MONTHLY, tier: bool = True, offers: int = 0) -> Entry:
    """The purchase of somebody with a lot for each of 24 months and figures of ``months``, after many others: base
    points and a rule's, which counts against two caps; with ``tier`` the account has one, and the entry arms a timer;
    of so many ``offers`` of a multiplier the first holds, and its award leaves a remainder.
    """
    program = Program.of(check(POLICY), 1)
    day = program.day(NOW)
    lots = {(program.terms(NOW - 30 * 86_400 * back, NOW).expiry, 0): 1_999 + 97 * back for back in range(LOTS)}
    state = State(
        number=100_000,
        kind="member",
        status="open",
        at=NOW - 600,
        lots=lots,
        remainders={"base": Rate(47, 50)},
        recent=tuple((f"abcdefg{place}", NOW - 86_400 + 9_999 * place) for place in range(RECENT)),
        purchases=412,
        first=day - 700,
        last=day,
        counted=day,
        counters={"lunch:pm": 1_860, "lunch:tm": 8},
        months={month_of(day) - back: monthly for back in range(months)},
        total=Figures(*(LOTS * figure for figure in monthly)) if months else Figures(),
    )
    if tier:
        state = replace(state, tier="gold", tier_since=day - 120)
    multipliers = [
        Multiplier(day - 3 + 7 * each, day + 3 + 7 * each, f"campaign-{each}", 3, 2) for each in range(offers)
    ]
    state = replace(state, multipliers=tuple(multipliers))
    chain = Chain(PROGRAM, f"mem_{2:026d}", "points")
    before = seal(chain, None, Draft(replace(state, number=99_999), NOW - 600), Cause("k#", "", "", NOW))
    draft = Draft(state, NOW)
    end, terms = state.used("lunch:pm", day)[0], program.terms(NOW, NOW)
    awards = [
        Award("base", Rate(1_999, 100), terms.expiry),
        Award("lunch", Rate(20, 1), terms.expiry, 0, False, (("lunch:pm", end), ("lunch:tm", end))),
    ]
    if offers:
        awards.append(Award(rule_of("campaign-0"), Rate(1_999, 200), terms.expiry))
    commands.earn_awards(draft, awards, day, True, 1_999)
    draft.detail |= {"source": "till-0007", "order": "2026-00000005", "amount": 1_999, "rules": 12}
    cause = Cause(f"k#{CLIENT}#a1b2c3d4-e5f6-4a7b-8c9d-000000000005", fingerprint(5), CLIENT, NOW - 5)
    return seal(chain, before, draft, cause, {"churn": day + 60} if tier else None)
