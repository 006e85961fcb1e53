"""Access tokens: kept for all copies, renewed by one, whatever the others do at the same moment."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.channels.access import EARLY_S, FORCE_S, LEASE_S, Fetched, NotFetched
from loyalty.channels.service import BUSY, REFUSED, Tokens
from loyalty.table import keys
from loyalty.table.writes import ConditionFailed
from tests.unit.channel_rig import PROGRAM, Copies

NOW = 1_790_000_000
LASTS = 7200


class Issuer:
    """A provider that gives the same token while it holds, as both do."""

    def __init__(self) -> None:
        self.now = NOW
        self.asked = self.forced = self.made = 0
        self.ends = 0
        self.valid: set[str] = set()
        self.down = False

    @property
    def token(self) -> str:
        return f"token-{self.made}"

    def __call__(self, force: bool) -> Fetched:
        self.asked += 1
        if self.down:
            raise NotFetched("timeout")
        if force:
            self.forced += 1
            self.valid.clear()
        if force or self.ends - self.now < EARLY_S:
            self.made += 1
            self.ends = self.now + LASTS
            self.valid.add(self.token)
        return Fetched(self.token, self.ends - self.now)


def take(copy: Tokens, issuer: Issuer, spoiled: str = "", account: str = "app") -> str:
    try:
        return copy.token(PROGRAM, "wechat", account, issuer, issuer.now, spoiled)
    except NotFetched as error:
        return f"!{error.code}"


def test_nothing_is_read_while_the_token_is_fresh() -> None:
    copies, issuer = Copies(), Issuer()
    copy = copies.copy()
    assert take(copy, issuer) == "token-1"
    before = [*copies.calls]
    for issuer.now in (NOW + 1, NOW + LASTS - EARLY_S - 1):
        assert take(copy, issuer) == "token-1"
    assert (copies.calls, issuer.asked) == (before, 1)


def test_many_copies_ask_once() -> None:
    copies, issuer = Copies(), Issuer()
    assert {take(copies.copy(), issuer) for _ in range(20)} == {"token-1"}
    assert issuer.asked == 1


def test_another_accounts_token_is_none() -> None:
    copies, issuer = Copies(), Issuer()
    take(copies.copy(), issuer)
    take(copies.copy(), issuer, account="other")
    assert issuer.asked == 2, "the app was changed in the secret"


def test_while_the_provider_is_down_the_old_token_serves_to_its_end() -> None:
    copies, issuer = Copies(), Issuer()
    copy = copies.copy()
    take(copy, issuer)
    issuer.down = True
    for issuer.now in (NOW + LASTS - EARLY_S, NOW + LASTS - EARLY_S + 5, NOW + LASTS - 1):
        assert take(copy, issuer) == "token-1"
    issuer.now = NOW + LASTS
    assert take(copy, issuer) in ("!timeout", f"!{BUSY}")


def test_who_holds_the_lease_is_waited_for_and_then_no_more() -> None:
    copies, issuer = Copies(), Issuer()
    issuer.down = True
    assert take(copies.copy(), issuer) == "!timeout"
    issuer.down = False
    assert take(copies.copy(), issuer) == f"!{BUSY}"
    assert issuer.asked == 1
    issuer.now += LEASE_S
    assert take(copies.copy(), issuer) == "token-1"


def test_a_token_that_is_refused_and_given_out_again_is_thrown_away_once_in_a_while() -> None:
    copies, issuer = Copies(), Issuer()
    copy = copies.copy()
    assert take(copy, issuer) == "token-1"
    assert take(copy, issuer, spoiled="token-1") == "token-2"
    assert issuer.forced == 1
    assert take(copy, issuer, spoiled="token-2") == f"!{REFUSED}"
    assert issuer.forced == 1
    issuer.now += FORCE_S
    assert take(copy, issuer, spoiled="token-2") == "token-3"
    assert issuer.forced == 2


def test_throwing_away_counts_even_when_it_fails() -> None:
    copies, issuer = Copies(), Issuer()
    copy = copies.copy()
    take(copy, issuer)

    def fails(force: bool) -> Fetched:
        if force:
            issuer.forced += 1
            raise NotFetched("timeout")
        return issuer(force)

    for _ in range(10):
        with pytest.raises(NotFetched):
            copy.token(PROGRAM, "wechat", "app", fails, issuer.now, "token-1")
        issuer.now += LEASE_S
    assert issuer.forced == 1


def test_the_token_lies_in_the_programmes_partition_and_in_no_line() -> None:
    copies, issuer = Copies(), Issuer()
    take(copies.copy(), issuer)
    item = copies.table.get(keys.channel_token(PROGRAM, "wechat"))
    assert item is not None
    assert (item["token"], item["ends"], item["t"]) == ("token-1", NOW + LASTS, keys.type_access)


@given(st.randoms(use_true_random=False), st.integers(2, 5))
def test_however_copies_interleave_every_token_they_use_is_one_that_was_given_out(
    chance: random.Random, number: int
) -> None:
    """Copies come and go, time passes, the provider goes down and takes tokens back: nobody ever uses a token that was
    not given out, or sends with one that has ended.
    """
    copies, issuer = Copies(), Issuer()
    alive = [copies.copy() for _ in range(number)]
    asked: Counter[int] = Counter()
    for _ in range(40):
        event = chance.random()
        if event < 0.1:
            alive[chance.randrange(number)] = copies.copy()
        elif event < 0.2:
            issuer.down = not issuer.down
        elif event < 0.3:
            issuer.valid.clear()  # the provider takes them all back
            issuer.ends = 0
        issuer.now += chance.choice([0, 1, 3, LEASE_S, 600, LASTS])
        copy = chance.choice(alive)
        before = issuer.asked
        token = take(copy, issuer)
        if not token.startswith("!") and token not in issuer.valid:
            token = take(copy, issuer, spoiled=token)
        asked[issuer.now] += issuer.asked - before
        if not token.startswith("!"):
            assert 1 <= int(token.removeprefix("token-")) <= issuer.made
            assert issuer.now < issuer.ends or token not in issuer.valid
    assert max(asked.values()) <= 8


def test_a_copy_that_lost_the_race_for_the_lease_does_not_ask() -> None:
    copies, issuer = Copies(), Issuer()
    first, late = copies.copy(), copies.copy()
    put = copies.store.put

    def beaten(program: str, channel: str, access: object) -> None:
        copies.store.put = put  # type: ignore[method-assign]  # the first copy writes just before the late one
        assert take(first, issuer) == "token-1"
        raise ConditionFailed(None)

    copies.store.put = beaten  # type: ignore[method-assign]  # as above
    assert take(late, issuer) == f"!{BUSY}"
    assert issuer.asked == 1
    assert take(late, issuer) == "token-1"
