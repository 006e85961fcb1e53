"""The scenarios: who does what to whom at the same time. Two writers with two operations each, unless they say more."""

from collections.abc import Sequence
from typing import Final

from loyalty.values import Rate
from tests.simulation.scheduler import ALL_FAULTS, Faults
from tests.simulation.world import (
    ANNA,
    BERT,
    DAY,
    START,
    Request,
    Story,
    World,
    adjust,
    bonus,
    buy,
    cancel,
    capture,
    close,
    freeze,
    give_back,
    hold,
    policy,
    redeem,
    release,
    sweep,
    transfer,
)

THIRD: Final = Rate(1, 300)
"""A rate whose remainders matter: one point for three units of the currency."""


def _one_of_two_spends(world: World) -> None:
    spent = [number for number, kind in enumerate(world.kinds()) if kind == "redeemed"]
    assert len(spent) == 2, "two of the four redemptions of 50 fit into 100 points"
    assert world.balance() == 0


def _spent_and_earned(world: World) -> None:
    assert all(world.done("r1", "r2", "till-o1", "till-o2")), "there was enough for both, and nobody else"
    assert world.balance() == 100 - 70 - 20 + 30 + 20


def _once_each(world: World) -> None:
    assert world.kinds().count("redeemed") == 2
    assert world.balance() == 100 - 30 - 20
    assert {len([a for a in world.answers if a.request.key == key and a.posted]) for key in ("k1", "k2")} == {2}


def _earned_once(world: World) -> None:
    assert world.kinds().count("earned") == 1
    assert world.balance() == 50


def _first_content_wins(world: World) -> None:
    assert world.kinds().count("earned") == 1
    assert world.balance() in (50, 70)
    refused = [answer.refusal for answer in world.answers if answer.refusal]
    assert set(refused) <= {"PURCHASE_CONFLICT", "IDEMPOTENCY_KEY_REUSED"}, refused
    assert refused, "two contents, one order: somebody must be refused"


def _hold_ends_once(world: World) -> None:
    kinds = world.kinds()
    assert not world.wallet().holds
    captured = "captured" in kinds
    assert world.balance() == (60 if captured else 100)
    assert captured != ("released" in kinds)


def _lapse_or_capture(world: World) -> None:
    kinds = world.kinds()
    assert world.balance() == (60 if "captured" in kinds else 100) - (30 if world.done("spend")[0] else 0)


def _all_returned(world: World) -> None:
    wallet = world.wallet()
    assert not wallet.lots, wallet.lots
    assert not wallet.remainders
    assert not wallet.arrears
    orders = [line.detail["amount"] for line in wallet.entries if line.kind == "reversed"]
    assert sum(orders) == 1000


def _within_the_purchase(world: World) -> None:
    back = [line.detail["amount"] for line in world.wallet().entries if line.kind == "reversed"]
    assert sum(back) <= 1000
    assert len(back) == 2, "two returns of 400 fit into 1000, and a third does not"


def _cancelled_once(world: World) -> None:
    assert world.kinds().count("restored") == 1
    assert world.balance() == 100
    codes = [answer.refusal for answer in world.answers if answer.request.name == "cancel" and answer.refusal]
    assert set(codes) == {"REDEMPTION_ALREADY_CANCELLED"}


def _sum_stays(world: World) -> None:
    assert world.balance(ANNA) + world.balance(BERT) == 160


def _bought_and_returned(world: World) -> None:
    left = 1000 - sum(line.detail["amount"] for line in world.wallet().entries if line.kind == "reversed")
    total = world.balance() + world.wallet().remainders.get("base", 0)
    assert total == left * THIRD.num / THIRD.den or abs(total * THIRD.den - left * THIRD.num) < 1e-6


def _arrears_first(world: World) -> None:
    wallet = world.wallet()
    assert world.balance() - wallet.arrears == 80 - 60 - 80 + 40 + 30 or "redeemed" not in world.kinds()


FUNDED: Final[Sequence[Request]] = (adjust(100, "fund"),)

PAIRS: Final[Sequence[Story]] = (
    Story(
        "redeem-redeem",
        [[redeem(50, "a1"), redeem(50, "a2")], [redeem(50, "b1"), redeem(50, "b2")]],
        FUNDED,
        expect=_one_of_two_spends,
    ),
    Story(
        "redeem-earn",
        [[redeem(70, "r1"), redeem(20, "r2")], [buy("o1", 3000), buy("o2", 2000)]],
        FUNDED,
        expect=_spent_and_earned,
    ),
    Story(
        "same-key-twice",
        [[redeem(30, "k1"), redeem(20, "k2")], [redeem(30, "k1"), redeem(20, "k2")]],
        FUNDED,
        expect=_once_each,
    ),
    Story(
        "same-key-crossed",
        [[redeem(30, "k1"), redeem(20, "k2")], [redeem(20, "k2"), redeem(30, "k1")]],
        FUNDED,
        expect=_once_each,
    ),
    Story(
        "same-order-two-keys",
        [
            [buy("o1", 3000, 2000, key="a"), buy("o1", 3000, 2000, key="a")],
            [buy("o1", 3000, 2000, key="b"), bonus("v")],
        ],
        expect=lambda world: _same_order(world),
    ),
    Story(
        "same-order-other-content",
        [[buy("o1", 5000, key="a"), buy("o1", 7000, key="c")], [buy("o1", 7000, key="b"), buy("o1", 5000, key="a")]],
        expect=_first_content_wins,
    ),
    Story(
        "same-order-two-members",
        [[buy("o1", 5000, key="a"), bonus("v1")], [buy("o1", 5000, key="b", account=BERT), bonus("v2", BERT)]],
        expect=lambda world: _one_member_earns(world),
    ),
    Story(
        "capture-release",
        [[capture(3, None, "c1"), redeem(10, "x1")], [release(3, "l1"), redeem(10, "x1")]],
        (adjust(100, "fund"), hold(40, "hold")),
        expect=lambda world: _ends_once_and_spends(world),
    ),
    Story(
        "capture-capture",
        [
            [capture(3, 25, "c1", final=False), capture(3, 15, "c2", final=False)],
            [capture(3, 25, "d1"), release(3, "d2")],
        ],
        (adjust(100, "fund"), hold(40, "hold")),
        expect=lambda world: _captured_within(world),
    ),
    Story(
        "capture-lapse",
        [[capture(3, None, "c1"), redeem(30, "spend")], [sweep("night"), release(3, "l1")]],
        (adjust(100, "fund"), hold(40, "hold", 600)),
        ticks=[START + 600],
        expect=lambda world: _lapsed_or_not(world),
    ),
    Story(
        "hold-hold",
        [[hold(60, "h1"), redeem(40, "r1")], [hold(60, "h2"), redeem(40, "r2")]],
        FUNDED,
        later=[START + 3600],
    ),
    Story(
        "return-return",
        [[give_back("o1", "b1", 400), give_back("o1", "b2")], [give_back("o1", "b3", 250), give_back("o1", "b4")]],
        (buy("o1", 1000),),
        policy=policy(rate=THIRD),
        expect=_all_returned,
    ),
    Story(
        "return-too-much",
        [
            [give_back("o1", "b1", 400), give_back("o1", "b1", 400)],
            [give_back("o1", "b2", 400), give_back("o1", "b3", 400)],
        ],
        (buy("o1", 1000),),
        policy=policy(rate=THIRD),
        expect=_within_the_purchase,
    ),
    Story(
        "purchase-return",
        [[buy("o1", 1000), buy("o2", 700)], [give_back("o1", "b1", 350), give_back("o1", "b2")]],
        policy=policy(rate=THIRD),
    ),
    Story(
        "cancel-cancel",
        [[cancel(3, "x1"), cancel(3, "x2")], [cancel(3, "y1"), cancel(3, "x1")]],
        (adjust(100, "fund"), redeem(70, "r")),
        expect=_cancelled_once,
    ),
    Story(
        "cancel-redeem",
        [[cancel(4, "x1"), redeem(50, "a")], [redeem(50, "b"), cancel(4, "x2")]],
        (adjust(40, "fund", START + DAY), adjust(60, "fund2", START + 2 * DAY), redeem(70, "r")),
        later=[START + DAY, START + 2 * DAY],
    ),
    Story(
        "transfer-both-ways",
        [
            [transfer(ANNA, BERT, 60, "t1"), transfer(BERT, ANNA, 50, "t2")],
            [transfer(BERT, ANNA, 60, "t3"), redeem(0 + 1, "r")],
        ],
        (adjust(100, "fund"), adjust(60, "fund", account=BERT)),
        expect=lambda world: _moved(world),
    ),
    Story(
        "transfer-twice",
        [[transfer(ANNA, BERT, 60, "t1"), redeem(30, "r1")], [transfer(ANNA, BERT, 60, "t1"), redeem(30, "r2", BERT)]],
        FUNDED,
        expect=lambda world: _moved_once(world),
    ),
    Story(
        "arrears",
        [[give_back("o1", "b1"), buy("o2", 4000)], [redeem(60, "r1"), buy("o3", 3000)]],
        (buy("o1", 8000),),
        expect=_arrears_first,
    ),
    Story(
        "freeze-spend",
        [[freeze("f"), buy("o1", 1000)], [redeem(60, "r1"), redeem(30, "r2")]],
        FUNDED,
    ),
    Story(
        "close-earn",
        [[close("c"), redeem(10, "r")], [bonus("v"), buy("o1", 1000)]],
        FUNDED,
    ),
    Story(
        "expiry-spend",
        [[redeem(70, "r1"), redeem(20, "r2")], [sweep("night"), redeem(30, "r3")]],
        (adjust(50, "fund", START + DAY), adjust(60, "fund2", START + 5 * DAY)),
        ticks=[START + DAY],
        later=[START + DAY, START + 5 * DAY],
    ),
    Story(
        "pending-spend",
        [[redeem(40, "r1"), give_back("o1", "b1")], [buy("o2", 2000), redeem(40, "r2")]],
        (buy("o1", 5000),),
        policy=policy(pending_days=1),
        ticks=[START + 2 * DAY],
        later=[START + 2 * DAY],
    ),
)


def _same_order(world: World) -> None:
    assert world.kinds().count("earned") == 2, "the order and the bonus"
    assert world.balance() == 55


def _one_member_earns(world: World) -> None:
    assert sorted((world.balance(ANNA), world.balance(BERT))) == [5, 55]
    assert [answer.refusal for answer in world.answers if answer.refusal] == ["PURCHASE_CONFLICT"]


def _ends_once_and_spends(world: World) -> None:
    kinds = world.kinds()
    assert not world.wallet().holds
    assert ("captured" in kinds) != ("released" in kinds), "a hold ends once"
    assert world.balance() == (60 if "captured" in kinds else 100) - 10


def _captured_within(world: World) -> None:
    captured = sum(line.detail["points"] for line in world.wallet().entries if line.kind == "captured")
    assert 25 <= captured <= 40
    assert world.balance() == 100 - captured
    assert not world.wallet().holds


def _lapsed_or_not(world: World) -> None:
    kinds = world.kinds()
    assert kinds.count("captured") + kinds.count("released") <= 1
    assert world.done("spend") == [True]
    assert world.balance() == 100 - 30 - (40 if "captured" in kinds else 0)


def _moved(world: World) -> None:
    assert world.balance(ANNA) + world.balance(BERT) == 160 - world.kinds().count("redeemed") - world.kinds(BERT).count(
        "redeemed"
    )


def _moved_once(world: World) -> None:
    assert world.kinds().count("transferred_out") == 1
    assert world.kinds(BERT).count("transferred_in") == 1
    assert world.balance() + world.balance(BERT) in (40, 70)


RETRIES: Final = Faults(ALL_FAULTS, 6)
