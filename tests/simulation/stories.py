"""The scenarios: who does what to whom at the same time, and what must come of it beside the invariants."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Final

from loyalty.values import Rate
from tests.simulation.scheduler import ALL_FAULTS, Faults
from tests.simulation.world import (
    ANNA,
    BERT,
    CARA,
    DAY,
    START,
    Request,
    Story,
    World,
    adjust,
    bonus,
    budget,
    buy,
    cancel,
    capture,
    close,
    freeze,
    give,
    give_back,
    hold,
    late_purchase,
    late_return,
    multiply,
    policy,
    redeem,
    release,
    sweep,
    transfer,
)

THIRD: Final = Rate(1, 300)
TWICE: Final = Rate(2, 1)
HALF_MORE: Final = Rate(3, 2)
"""A rate whose remainders matter: one point for three units of the currency."""
FUNDED: Final[Sequence[Request]] = (adjust(100, "fund"),)


def _two_of_four_spend(world: World) -> None:
    assert world.kinds().count("redeemed") == 2, "two of the four redemptions of 50 fit into 100 points"
    assert world.balance() == 0


def _spent_and_earned(world: World) -> None:
    assert all(world.done("r1", "r2", "till-o1", "till-o2")), "there was enough for all of them"
    assert world.balance() == 100 - 70 - 20 + 30 + 20


def _once_each(world: World) -> None:
    assert world.kinds().count("redeemed") == 2
    assert world.balance() == 100 - 30 - 20
    assert all(answer.posted for answer in world.answers)


def _one_body_wins(world: World) -> None:
    assert world.kinds().count("redeemed") == 1
    refused = [answer.refusal for answer in world.answers if answer.refusal]
    assert refused == ["IDEMPOTENCY_KEY_REUSED"] * 2, f"I3 one key with two bodies: refused were {refused}"


def _same_order(world: World) -> None:
    assert world.kinds().count("earned") == 2, "the order and the bonus"
    assert world.balance() == 55
    assert not [answer.refusal for answer in world.answers if answer.refusal]


def _one_content_earns(world: World) -> None:
    assert world.kinds().count("earned") == 1
    assert world.balance() in (50, 70)
    refused = {answer.refusal for answer in world.answers if answer.refusal}
    assert refused, "two contents, one order: somebody must be refused"
    assert refused <= {"PURCHASE_CONFLICT", "IDEMPOTENCY_KEY_REUSED"}


def _one_member_earns(world: World) -> None:
    assert sorted((world.balance(ANNA), world.balance(BERT))) == [5, 55]
    assert [answer.refusal for answer in world.answers if answer.refusal] == ["PURCHASE_CONFLICT"]


def _answers_are_kept(world: World) -> None:
    """What was answered stands, whatever became of its key; and unless a caller died in between, what was refused left
    nothing.
    """
    for order, key in (("o1", "k"), ("o2", "k2")):
        earned = [line for line in world.wallet().entries if line.detail.get("order") == order]
        posted = world.answer(key, "purchase").posted is not None
        assert len(earned) == 1 if posted else world.scenario.faults.most or not earned
    for key in ("k", "k2"):
        assert (world.answer(key, "redeem").posted is not None) == (world.ref_kind(key) == "redeemed")


def _ends_once_and_spends(world: World) -> None:
    kinds = world.kinds()
    assert not world.wallet().holds
    assert ("captured" in kinds) != ("released" in kinds), "a hold ends once"
    assert world.balance() == (60 if "captured" in kinds else 100) - 10


def _captured_within(world: World) -> None:
    captured = sum(line.detail["points"] for line in world.wallet().entries if line.kind == "captured")
    assert 0 <= captured <= 40
    assert world.balance() == 100 - captured
    assert not world.wallet().holds


def _captured_or_lapsed(world: World) -> None:
    kinds = world.kinds()
    assert kinds.count("captured") + kinds.count("released") <= 1
    assert world.done("spend") == [True]
    if not world.wallet().holds:
        assert world.balance() == 100 - 30 - (40 if "captured" in kinds else 0)


def _all_returned(world: World) -> None:
    """Many partial refunds equal one full refund, and leave nothing behind (I5)."""
    wallet = world.wallet()
    assert not wallet.lots
    assert not wallet.remainders
    assert not wallet.arrears
    assert sum(line.detail["amount"] for line in wallet.entries if line.kind == "reversed") == 1000


def _within_the_purchase(world: World) -> None:
    back = [line.detail["amount"] for line in world.wallet().entries if line.kind == "reversed"]
    assert back == [400, 400], "two returns of 400 fit into 1000, and a third does not"


def _what_is_left_earns(world: World) -> None:
    kept = sum(
        line.detail["amount"] * (1 if line.kind == "earned" else -1)
        for line in world.wallet().entries
        if "order" in line.detail
    )
    carried = world.wallet().remainders.get("base", Fraction(0))
    assert world.balance() - world.wallet().arrears + carried == Fraction(kept, 300)


def _cancelled_once(world: World) -> None:
    assert world.kinds().count("restored") == 1
    assert world.balance() == 100
    codes = {answer.refusal for answer in world.answers if answer.refusal}
    assert codes == {"REDEMPTION_ALREADY_CANCELLED"}


def _cancelled_into_its_lots(world: World) -> None:
    assert world.kinds().count("restored") == 1
    spent = world.kinds().count("redeemed") - 1
    assert world.balance() == 100 - 50 * spent
    assert spent >= 1, "after the cancellation there is enough for at least one of the two"


def _nothing_lost_on_the_way(world: World) -> None:
    spent = world.kinds().count("redeemed") + world.kinds(BERT).count("redeemed")
    assert world.balance(ANNA) + world.balance(BERT) == 160 - spent


def _moved_once(world: World) -> None:
    assert world.kinds().count("transferred_out") == 1
    assert world.kinds(BERT).count("transferred_in") == 1
    assert all(world.done("r1", "r2"))
    assert (world.balance(), world.balance(BERT)) == (10, 30)


def _what_is_owed_is_repaid(world: World) -> None:
    earned = 70 if all(world.done("till-o2", "till-o3")) else 0
    spent = 60 if world.done("r1")[0] else 0
    assert earned, "nothing stands in the way of earning"
    assert world.balance() - world.wallet().arrears == 80 - 80 + 70 - spent


def _frozen_lets_nothing_out(world: World) -> None:
    kinds = world.kinds()
    assert world.done("f", "till-o1") == [True, True]
    assert "redeemed" not in kinds[kinds.index("frozen") :]


def _closed_or_earned(world: World) -> None:
    assert world.kinds()[-1] == "closed"
    assert world.wallet().status == "closed"


def _whoever_can_earns(world: World) -> None:
    """The order earns for the member who is still there, at the latest when it is sent again."""
    earned = [*world.kinds(ANNA), *world.kinds(BERT)].count("earned")
    assert earned <= 1
    if world.answer("b").posted:
        assert world.kinds(BERT).count("earned") == 1


def _returned_in_the_end(world: World) -> None:
    if any(answer.unknown for answer in world.answers):
        return  # a message that is still on the queue
    assert world.kinds().count("earned") == 1
    assert sorted(line.detail["amount"] for line in world.wallet().entries if line.kind == "reversed") == [300, 700]
    assert world.balance() == 0
    assert not world.set_aside


def _late_and_live_are_one(world: World) -> None:
    assert world.kinds().count("earned") == 1
    assert world.kinds().count("reversed") == 1
    assert world.balance() == 6


def _begun_once(world: World) -> None:
    assert world.kinds(CARA).count("opened") == 1
    assert world.balance(CARA) == 10 + 60 + 5 - (7 if world.done("r")[0] else 0)


def _bought_once(world: World) -> None:
    assert world.kinds().count("earned") == 1
    assert world.balance() == 100 + 10 - 7
    assert all(answer.posted for answer in world.answers)


def _bought_or_refused(world: World) -> None:
    earned = world.kinds().count("earned")
    assert earned == (1 if world.answer("k", "purchase").posted else 0)
    assert world.ref_kind("k") in ("redeemed", "earned")


def _offered_once_each(world: World) -> None:
    assert world.kinds().count("earned") == 2
    assert world.balance() == 70
    assert all(answer.posted for answer in world.answers)


def _three_are_live(world: World) -> None:
    assert world.kinds().count("offered") == 3
    assert [answer.refusal for answer in world.answers if answer.refusal] == ["OFFERS_LIMIT_REACHED"]


def _multiplied_or_not(world: World) -> None:
    """Whether the first purchase is before or after the offer, the second one is after it."""
    assert world.balance() == 20


def _within_the_budget(world: World) -> None:
    given = sum(line.detail["points"] for line in world.wallet().entries if "campaign" in line.detail)
    item = next(item for item in world.simulation.engine.items() if item["t"]["S"] == "budget")
    assert given <= int(item["leased"]["N"]) <= int(item["points"]["N"]), f"{given} points of {item['points']['N']}"
    keys = {answer.request.key for answer in world.answers}
    assert given == 100 * sum(world.done(*keys))


def _crowd(world: World) -> None:
    for key in {answer.request.key for answer in world.answers}:
        outcomes = {answer.refusal for answer in world.answers if answer.request.key == key and not answer.unknown}
        assert len(outcomes) == 1 or "" not in outcomes or world.scenario.faults.most, f"{key}: {outcomes}"


def _each_key_once(world: World, spent: int, left: int) -> None:
    if any(answer.unknown or answer.refusal for answer in world.answers):
        return
    assert world.kinds().count("redeemed") == spent
    assert world.balance() == left


PAIRS: Final[Sequence[Story]] = (
    Story(
        "redeem-redeem",
        [[redeem(50, "a1"), redeem(50, "a2")], [redeem(50, "b1"), redeem(50, "b2")]],
        FUNDED,
        expect=_two_of_four_spend,
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
        "same-key-other-body",
        [[redeem(30, "k"), redeem(30, "k")], [redeem(20, "k"), redeem(20, "k")]],
        FUNDED,
        expect=_one_body_wins,
    ),
    Story(
        "same-order-two-keys",
        [
            [buy("o1", 3000, 2000, key="a"), buy("o1", 3000, 2000, key="a")],
            [buy("o1", 3000, 2000, key="b"), bonus("v")],
        ],
        expect=_same_order,
    ),
    Story(
        "same-order-other-content",
        [
            [buy("o1", 5000, key="a"), buy("o1", 7000, key="c")],
            [buy("o1", 7000, key="b"), buy("o1", 5000, key="a")],
        ],
        expect=_one_content_earns,
    ),
    Story(
        "same-order-two-members",
        [
            [buy("o1", 5000, key="a"), bonus("v1")],
            [buy("o1", 5000, key="b", account=BERT), bonus("v2", BERT)],
        ],
        expect=_one_member_earns,
    ),
    Story(
        "key-reused",
        [[buy("o1", 3000, key="k"), redeem(7, "k2")], [redeem(5, "k"), buy("o2", 2000, key="k2")]],
        FUNDED,
        expect=_answers_are_kept,
    ),
    Story(
        "grant-grant",
        [[give(40, "1"), give(30, "2")], [give(40, "1"), give(30, "2")]],
        expect=_offered_once_each,
    ),
    Story(
        "offers-fill-up",
        [[multiply(TWICE, "a", 4), multiply(TWICE, "b", 4)], [multiply(TWICE, "c", 4), multiply(TWICE, "d", 4)]],
        expect=_three_are_live,
    ),
    Story(
        "offer-buy",
        [[multiply(TWICE, "flash"), buy("o2", 1000)], [buy("o1", 1000), give_back("o1", "b1")]],
        expect=_multiplied_or_not,
    ),
    Story(
        "capture-release",
        [[capture(3, None, "c1"), redeem(10, "x1")], [release(3, "l1"), redeem(10, "x1")]],
        (adjust(100, "fund"), hold(40, "hold")),
        expect=_ends_once_and_spends,
    ),
    Story(
        "capture-capture",
        [
            [capture(3, 25, "c1", final=False), capture(3, 15, "c2", final=False)],
            [capture(3, 25, "d1"), release(3, "d2")],
        ],
        (adjust(100, "fund"), hold(40, "hold")),
        expect=_captured_within,
    ),
    Story(
        "capture-lapse",
        [[capture(3, None, "c1"), redeem(30, "spend")], [sweep("night"), release(3, "l1")]],
        (adjust(100, "fund"), hold(40, "hold", 600)),
        ticks=[START + 600],
        later=[START + 600],
        expect=_captured_or_lapsed,
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
        expect=_what_is_left_earns,
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
        expect=_cancelled_into_its_lots,
    ),
    Story(
        "transfer-both-ways",
        [
            [transfer(ANNA, BERT, 60, "t1"), transfer(BERT, ANNA, 50, "t2")],
            [transfer(BERT, ANNA, 60, "t3"), redeem(1, "r")],
        ],
        (adjust(100, "fund"), adjust(60, "fund", account=BERT)),
        expect=_nothing_lost_on_the_way,
    ),
    Story(
        "transfer-twice",
        [
            [transfer(ANNA, BERT, 60, "t1"), redeem(30, "r1")],
            [transfer(ANNA, BERT, 60, "t1"), redeem(30, "r2", BERT)],
        ],
        FUNDED,
        expect=_moved_once,
    ),
    Story(
        "arrears",
        [[give_back("o1", "b1"), buy("o2", 4000)], [redeem(60, "r1"), buy("o3", 3000)]],
        (buy("o1", 8000),),
        expect=_what_is_owed_is_repaid,
    ),
    Story(
        "freeze-spend",
        [[freeze("f"), buy("o1", 1000)], [redeem(60, "r1"), redeem(30, "r2")]],
        FUNDED,
        expect=_frozen_lets_nothing_out,
    ),
    Story(
        "close-earn",
        [[close("c"), redeem(10, "r")], [bonus("v"), buy("o1", 1000)]],
        FUNDED,
        expect=_closed_or_earned,
    ),
    Story(
        "close-reassign",
        [[buy("o1", 1000, key="a"), buy("o1", 1000, key="b", account=BERT)], [close("c"), buy("o1", 1000, key="a")]],
        expect=_whoever_can_earns,
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
    Story(
        "return-before-purchase",
        [
            [late_return("o1", "ret-1", 300), late_return("o1", "ret-1", 300)],
            [late_purchase("o1", 1000), late_return("o1", "ret-2", 700)],
        ],
        policy=policy(rate=THIRD),
        expect=_returned_in_the_end,
    ),
    Story(
        "first-use",
        [
            [buy("o1", 1000, account=CARA), redeem(7, "r", CARA)],
            [transfer(ANNA, CARA, 60, "t"), bonus("v", CARA)],
        ],
        FUNDED,
        expect=_begun_once,
    ),
    Story(
        "late-and-live",
        [
            [late_return("o1", "ret-1", 400), late_purchase("o1", 1000)],
            [buy("o1", 1000, key="k"), late_purchase("o1", 1000)],
        ],
        expect=_late_and_live_are_one,
    ),
)
"""Two writers with two operations each."""

BUSY: Final[Sequence[Story]] = (
    Story(
        "far-behind",
        [[redeem(1, "slow")], [redeem(1, "slow"), *(redeem(1, f"more-{number}") for number in range(7))]],
        FUNDED,
        expect=lambda world: _each_key_once(world, 8, 92),
    ),
    Story(
        "far-behind-and-ahead",
        [[redeem(1, "slow")], [redeem(1, "slow"), *(redeem(1, f"more-{number}") for number in range(7))]],
        FUNDED,
        skews={"w1": 120},
        expect=lambda world: _each_key_once(world, 8, 92),
    ),
    Story(
        "far-behind-purchase",
        [[buy("o1", 1000, key="k")], [buy("o1", 1000, key="k"), *(redeem(1, f"m-{number}") for number in range(7))]],
        FUNDED,
        expect=_bought_once,
    ),
    Story(
        "far-behind-other-body",
        [[buy("o1", 1000, key="k")], [redeem(1, "k"), *(redeem(1, f"m-{number}") for number in range(7))]],
        FUNDED,
        expect=_bought_or_refused,
    ),
)
"""A slow writer, and one that leaves it further behind than the newest references in the state reach."""

STREAMED: Final[Sequence[Story]] = (
    Story(
        "stream-waits",
        [[late_return("o1", "ret-1", 300)], [late_purchase("o1", 1000), late_return("o1", "ret-2", 700)]],
        policy=policy(rate=THIRD),
        consumers=2,
        expect=_returned_in_the_end,
    ),
    Story(
        "stream-finishes",
        [[buy("o1", 1000, key="a"), give_back("o1", "b1", 400)], [buy("o1", 1000, key="b"), redeem(3, "r")]],
        FUNDED,
        consumers=2,
    ),
    Story(
        "stream-close-reassign",
        [[buy("o1", 1000, key="a"), buy("o1", 1000, key="b", account=BERT)], [close("c")]],
        consumers=2,
        expect=_whoever_can_earns,
    ),
    Story(
        "stream-key-reused",
        [[buy("o1", 3000, key="k"), redeem(7, "k2")], [redeem(5, "k"), buy("o2", 2000, key="k2")]],
        FUNDED,
        consumers=1,
        expect=_answers_are_kept,
    ),
)
"""With the stream's consumers at work beside the writers, and every record coming to them again and again."""


CROWDS: Final[Sequence[Story]] = (
    Story(
        "crowd-spends",
        [[redeem(30, f"{writer}-{number}") for number in range(3)] for writer in "abcdef"],
        FUNDED,
        expect=_crowd,
    ),
    Story(
        "crowd-everything",
        [
            [buy("o1", 3700), redeem(25, "r1"), give_back("o1", "b1", 1200)],
            [redeem(25, "r1"), hold(30, "h1"), buy("o2", 1900)],
            [transfer(ANNA, BERT, 40, "t1"), give_back("o1", "b2"), cancel(4, "x1")],
            [transfer(BERT, ANNA, 10, "t2"), redeem(20, "r3", BERT), cancel(4, "x2")],
            [capture(3, 20, "c1", final=False), release(3, "l1"), sweep("night")],
        ],
        (adjust(100, "fund"), hold(35, "hold", 600), redeem(20, "r0"), adjust(30, "fund", account=BERT)),
        policy=policy(rate=THIRD),
        ticks=[START + 300, START + 600, START + 3600],
        later=[START + 3600],
    ),
    Story(
        "crowd-offered",
        [
            [multiply(HALF_MORE, "flash", 2), buy("o1", 999), give_back("o1", "b1", 333)],
            [buy("o2", 1001), multiply(TWICE, "more"), give_back("o2", "b2")],
            [multiply(HALF_MORE, "flash", 2), buy("o1", 999), buy("o3", 700, at=DAY)],
            [give(50, "1"), buy("o4", 100), multiply(TWICE, "more")],
        ],
        policy=policy(rate=THIRD),
        consumers=1,
        ticks=[START + DAY],
        later=[START + DAY],
    ),
    Story(
        "crowd-budget",
        [[give(100, f"{step}", paid=True) for step in steps] for steps in ("123", "231", "345", "156")],
        (budget(350),),
        expect=_within_the_budget,
    ),
    Story(
        "crowd-one-order",
        [
            [
                buy("o1", 999, key=f"k{writer}"),
                give_back("o1", f"b{writer}", 100 * writer),
                give_back("o1", f"d{writer}"),
            ]
            for writer in range(1, 6)
        ],
        policy=policy(rate=THIRD, pending_days=1),
        ticks=[START + 2 * DAY],
        later=[START + 2 * DAY],
    ),
    Story(
        "crowd-same-key",
        [[redeem(10, "k1"), redeem(10, "k2"), redeem(10, "k3")] for _ in range(6)],
        FUNDED,
        expect=lambda world: _each_key_once(world, 3, 70),
    ),
    Story(
        "crowd-far-behind",
        [
            [redeem(1, "slow")],
            *[[redeem(1, f"{writer}-{number}") for number in range(8)] for writer in "ab"],
            [redeem(1, "slow")],
        ],
        FUNDED,
        expect=lambda world: _each_key_once(world, 17, 83),
    ),
)
"""More writers than can be tried in every order: many seeds. The last leaves a slow writer further behind than the
newest references in the state reach."""


EVERY_FAULT: Final = Faults(ALL_FAULTS, 6)
"""Up to six faults of any kind in one run."""
ALL: Final[dict[str, Story]] = {
    story.name: story
    for plain in (*PAIRS, *BUSY, *STREAMED, *CROWDS)
    for story in (plain, plain.with_faults(EVERY_FAULT))
}
