"""What can be counted: round trips, capacity units, bytes logged; on a new account and on one with a long history."""

import contextlib
import io
from collections.abc import Callable
from typing import Any, Final

from bench import fullest
from bench.history import long_history
from bench.metering import Used
from bench.report import Row
from bench.shop import MINUTE, POLICY, PROGRAM, Call, Shop
from loyalty.earning.offers import budget_name, reference
from loyalty.ledger.account import MAX_RECENT
from loyalty.ledger.chain import Chain
from loyalty.programs.policy import check
from loyalty.programs.terms import Program
from loyalty.rules.budgets import Budget
from loyalty.rules.leases import item_of
from loyalty.runtime import wiring
from loyalty.values import Rate

LONG: Final = 100_000
STAGES: Final = {"redeem": 2, "hold": 2, "capture": 2, "release": 2, "event": 2, "purchase of 5 lines": 3}
BUSY_STAGES: Final = 3
WRITE_UNITS: Final = {"redeem": 2, "hold": 2, "capture": 2, "release": 2, "event": 2, "purchase of 5 lines": 4}
READ_UNITS: Final = 2
LOGGED_BYTES: Final = 450
OFFERED: Final = ((4, 3), (2, 2), (1, 0), (2, 2), (3, 4))
"""Round trips and write units of what campaigns give, and of a purchase then."""

Prepare = Callable[[Shop, Chain], Call]


def _capture(shop: Shop, chain: Chain) -> Call:
    return shop.capture(_held(shop, chain))


def _release(shop: Shop, chain: Chain) -> Call:
    return shop.release(_held(shop, chain))


def _held(shop: Shop, chain: Chain) -> str:
    """The id of a hold made earlier."""
    answer: dict[str, Any] = silently(shop.hold(chain))
    shop.later()
    hold: str = answer["hold"]["id"]
    return hold


OPERATIONS: Final[dict[str, Prepare]] = {
    "redeem": Shop.redeem,
    "hold": Shop.hold,
    "capture": _capture,
    "release": _release,
    "event": Shop.event,
    "purchase of 5 lines": Shop.purchase,
}


def silently(call: Call) -> dict[str, Any]:
    """Send a call and drop what it logs."""
    with contextlib.redirect_stdout(io.StringIO()):
        return call.send()


def measure(shop: Shop) -> list[Row]:
    """All rows that are counted; every operation goes through its own handler, with the policy read before."""
    rows: list[Row] = []
    with shop.open():
        accounts = {
            "first entries": shop.new_account(1),
            f"{LONG:,} entries": long_history(shop, 2, LONG),
        }
        silently(shop.hold(accounts["first entries"]))  # the policy is read here, and then once a minute
        used = {
            (name, history): _used(shop, chain, prepare)
            for name, prepare in OPERATIONS.items()
            for history, chain in accounts.items()
        }
        rows += [
            Row(f"{kind}, {name}, {history}", figure(one), unit, bounds[name])
            for kind, unit, figure, bounds in (
                ("sequential round trips", "round trips", _stages, STAGES),
                ("write units, index included", "units", _write_units, WRITE_UNITS),
                ("read units", "units", _read_units, dict.fromkeys(OPERATIONS, READ_UNITS)),
            )
            for (name, history), one in used.items()
        ]
        first, long = accounts
        rows += [
            Row(
                f"difference that {LONG:,} entries make, {name}",
                max(abs(figure(used[name, long]) - figure(used[name, first])) for figure in _FIGURES),
                "units or round trips",
                0,
            )
            for name in OPERATIONS
        ]
        rows += [
            Row(
                f"sequential round trips, {name}, {MAX_RECENT} entries in the last three minutes",
                _busy_stages(shop, prepare, 10 + number),
                "round trips",
                BUSY_STAGES,
            )
            for number, (name, prepare) in enumerate(OPERATIONS.items())
        ]
        rows += [
            Row(f"bytes logged, {name}", _logged(shop, accounts[first], prepare), "bytes", LOGGED_BYTES)
            for name, prepare in OPERATIONS.items()
        ]
        rows.append(Row("largest entry with 24 monthly lots", _largest(shop, accounts[long]), "bytes", 1024))
        rows += _offers(shop)
    full = "entry with 24 monthly lots, figures of 12 months, two counters, a remainder, a tier and a timer"
    rows.append(Row(full, fullest.size(fullest.entry()), "bytes", 1024))
    rows += [
        Row(
            f"the same, and {offers} of campaigns, one of which holds",
            fullest.size(fullest.entry(offers=number)),
            "bytes",
            2048,
        )
        for number, offers in enumerate(("a multiplier", "two multipliers", "three multipliers"), 1)
    ]
    return rows


def _offers(shop: Shop) -> list[Row]:
    """What campaigns give, and a purchase while a multiplier holds."""
    chain, today = shop.new_account(40), Program.of(check(POLICY), 1).day(shop.now)
    offers = wiring.offers()
    silently(shop.purchase(chain))
    shop.table.put(item_of(PROGRAM, budget_name("spring"), Budget(10**6)))
    acts: dict[str, Callable[[], object]] = {
        "points offered, a block leased": lambda: _give(shop, chain, "1"),
        "points offered": lambda: _give(shop, chain, "2"),
        "points offered, again": lambda: _give(shop, chain, "2"),
        "multiplier offered": lambda: offers.grant_multiplier(
            PROGRAM, chain.account, reference("spring", "1", "3"), "spring", Rate(3, 2), today, today, shop.now
        ),
    }
    used: dict[str, Used] = {}
    for name, act in acts.items():
        shop.later()
        with shop.meter.metering() as metered:
            act()
        used[name] = metered()
    used["purchase of 5 lines while a multiplier holds"] = _used(shop, chain, Shop.purchase)
    bounds = dict(zip(used, OFFERED, strict=True))
    return [
        Row(f"{kind}, {name}", figure(one), unit, bounds[name][place])
        for place, (kind, unit, figure) in enumerate(
            (
                ("sequential round trips", "round trips", _stages),
                ("write units, index included", "units", _write_units),
            )
        )
        for name, one in used.items()
    ]


def _give(shop: Shop, chain: Chain, step: str) -> object:
    ref, budget = reference("spring", "1", step), budget_name("spring")
    return wiring.offers().grant_points(PROGRAM, chain.account, ref, "spring", 100, 30, budget, shop.now)


def _stages(used: Used) -> float:
    return used.stages


def _write_units(used: Used) -> float:
    return used.write_units


def _read_units(used: Used) -> float:
    return used.read_units


_FIGURES: Final = (_stages, _write_units, _read_units)


def _used(shop: Shop, chain: Chain, prepare: Prepare) -> Used:
    shop.later()
    call = prepare(shop, chain)
    with shop.meter.metering() as used:
        silently(call)
    return used()


def _busy_stages(shop: Shop, prepare: Prepare, number: int) -> int:
    chain = shop.new_account(number)
    call = prepare(shop, chain)
    for _ in range(MAX_RECENT):
        silently(shop.event(chain))
        shop.later(MINUTE // 4)
    with shop.meter.metering() as used:
        silently(call)
    return used().stages


def _logged(shop: Shop, chain: Chain, prepare: Prepare) -> int:
    shop.later()
    call = prepare(shop, chain)
    with contextlib.redirect_stdout(io.StringIO()) as log:
        call.send()
    return len(log.getvalue().encode())


def _largest(shop: Shop, chain: Chain) -> int:
    """Bytes of the largest of the newest entries, as DynamoDB counts an item: names and values."""
    items, _ = shop.table.page(chain.pk, limit=2 * len(OPERATIONS), newest_first=True)
    return max(sum(len(name) + len(str(value).encode()) for name, value in item.items()) for item in items)
