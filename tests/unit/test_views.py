"""How entries and balances look from outside."""

import json
from collections.abc import Callable
from typing import Any

import msgspec

from loyalty.ledger import commands
from loyalty.ledger.account import WAITING, Draft, Hold, State
from loyalty.ledger.chain import Cause, Chain, seal
from loyalty.ledger.views import balance_view, entry_view
from loyalty.values import Rate
from tests.unit.states import NOW, draft, wallet

CHAIN = Chain("grocer", "mem_01ARZ3NDEKTSV4RRFFQ69G5FAV", "points")
LATER = 1_830_000_000
SEEN = "2027-12-28T13:20:00Z"
"""LATER, as the API writes it."""
PREFIX = "01ARZ3NDEKTSV4RRFFQ69G5FAV-points"


def seen(state: State, decide: Callable[[Draft], object]) -> dict[str, Any]:
    drafted = draft(state)
    decide(drafted)
    entry = seal(CHAIN, None, drafted, Cause("ref", "print", "cli_1", NOW - 60))
    view: dict[str, Any] = json.loads(msgspec.json.encode(entry_view(entry)))
    return view


def test_a_redemption_shows_what_it_took_from_which_lot_and_what_is_left() -> None:
    view = seen(wallet({(LATER, 0): 50, (0, 0): 9}), lambda it: commands.redeem(it, 52))
    assert view == {
        "id": f"ent_{PREFIX}-11",
        "number": 11,
        "kind": "redeemed",
        "member": "mem_01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "wallet": "points",
        "points": 52,
        "occurred_at": "2027-01-15T07:59:00Z",
        "recorded_at": "2027-01-15T08:00:00Z",
        "by": "cli_1",
        "movements": [
            {"why": "spent", "state": "available", "points": -50, "expires_at": SEEN},
            {"why": "spent", "state": "available", "points": -2},
        ],
        "balance": {"available": 7, "pending": 0, "held": 0, "arrears": 0},
        "redemption": f"red_{PREFIX}-11",
    }


def test_a_hold_and_its_capture_name_the_same_hold() -> None:
    held = seen(wallet({(LATER, 0): 50}), lambda it: commands.hold(it, 20, LATER, offline=True))
    assert held["hold"] == {"id": f"hld_{PREFIX}-11", "expires_at": SEEN, "offline": True}
    captured = seen(
        wallet(holds={4: Hold(LATER, False, {LATER: 40})}), lambda it: commands.capture(it, 4, 30, final=False)
    )
    assert captured["hold"] == {"id": f"hld_{PREFIX}-4", "released": 0, "left": 10}
    assert captured["redemption"] == f"red_{PREFIX}-11"


def test_a_cancellation_names_the_redemption_it_undoes() -> None:
    view = seen(wallet(), lambda it: commands.restore(it, [(LATER, 5)], 3))
    assert (view["redemption"], view["points"]) == (f"red_{PREFIX}-3", 5)


def test_pending_points_show_when_they_begin() -> None:
    view = seen(wallet(), lambda it: commands.earn(it, [commands.Grant(7, 0, LATER)]))
    assert view["movements"] == [{"why": "earned", "state": "pending", "points": 7, "starts_at": SEEN}]
    assert view["balance"]["pending"] == 7


def test_points_that_wait_for_an_event_show_that_they_do_and_what_decided_on_them() -> None:
    view = seen(wallet(), lambda it: commands.earn_awards(it, [commands.Award("tea", Rate(7, 1), LATER, WAITING)]))
    assert view["movements"] == [{"why": "earned", "state": "pending", "points": 7, "expires_at": SEEN}]
    assert view["awards"] == [{"rule": "tea", "points": 7}]
    state = wallet({(LATER, WAITING): 7, (LATER, 0): 7})
    shown = json.loads(msgspec.json.encode(balance_view(CHAIN, state)))
    assert shown["lots"] == [{"points": 7, "expires_at": SEEN, "waiting": True}, {"points": 7, "expires_at": SEEN}]
    for decide, kind in ((commands.activate, "activated"), (commands.cancel, "cancelled")):
        decided = seen(state, lambda it, decide=decide: decide(it, 4, [(LATER, 7)]))  # type: ignore[misc]
        assert (decided["kind"], decided["points"], decided["of"]) == (kind, 7, f"ent_{PREFIX}-4")


def test_an_entry_names_the_version_of_the_rule_set_that_decided() -> None:
    def decide(change: Draft) -> None:
        commands.earn_awards(change, [commands.Award("base", Rate(7, 1))])
        change.detail["rules"] = 12

    view = seen(wallet(), decide)
    assert view["rule_set"] == 12
    assert "awards" not in view


def test_what_is_owed_moves_arrears_and_nothing_of_the_ledgers_inside_is_shown() -> None:
    view = seen(wallet(arrears=5), lambda it: commands.earn(it, [commands.Grant(8, LATER, 0)]))
    assert [(one["why"], one["state"], one["points"]) for one in view["movements"]] == [
        ("earned", "available", 8),
        ("repaid", "available", -5),
        ("repaid", "arrears", -5),
    ]
    assert not {"ref", "hash", "body", "fingerprint", "detail"} & set(view)


def test_a_balance_lists_lots_and_holds_and_what_expires_next() -> None:
    state = wallet(
        {(0, 0): 3, (LATER, 0): 50, (LATER + 86_400, NOW + 60): 8},
        holds={4: Hold(NOW + 60, True, {LATER: 40})},
        arrears=0,
        at=NOW,
    )
    view = json.loads(msgspec.json.encode(balance_view(CHAIN, state)))
    assert view == {
        "member": CHAIN.account,
        "wallet": "points",
        "status": "open",
        "as_of": "2027-01-15T08:00:00Z",
        "balance": {"available": 53, "pending": 8, "held": 40, "arrears": 0},
        "lots": [
            {"points": 3},
            {"points": 50, "expires_at": SEEN},
            {"points": 8, "expires_at": "2027-12-29T13:20:00Z", "starts_at": "2027-01-15T08:01:00Z"},
        ],
        "holds": [
            {"id": f"hld_{PREFIX}-4", "points": 40, "expires_at": "2027-01-15T08:01:00Z", "offline": True},
        ],
        "expires_next": {"points": 50, "expires_at": SEEN},
    }


def test_a_wallet_in_which_nothing_expires_names_nothing_that_expires_next() -> None:
    view = json.loads(msgspec.json.encode(balance_view(CHAIN, wallet({(0, 0): 3}))))
    assert "expires_next" not in view
