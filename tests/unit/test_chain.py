"""Entries and the chain that binds them: made, verified, rebuilt, and every way of tampering found."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from loyalty.errors import Corrupt
from loyalty.ledger import chain as chains
from loyalty.ledger import commands
from loyalty.ledger.account import MAX_RECENT, Draft, State
from loyalty.ledger.chain import Cause, Chain, Entry, Finding, Stored, Verifier
from loyalty.ledger.commands import Grant
from loyalty.values import Rate
from tests.unit.states import NOW

CHAIN = Chain("acme", "mem_01ARZ3NDEKTSV4RRFFQ69G5FAV", "points")
COMMANDS: list[Callable[[Draft], object]] = [
    lambda change: commands.open_account(change, "member"),
    lambda change: commands.earn_amount(change, "base", Rate(1, 100), 12_345, NOW + 900, 0),
    lambda change: commands.earn(change, [Grant(50, 0, NOW + 30)]),
    lambda change: commands.hold(change, 20, NOW + 25, offline=True),
    lambda change: commands.redeem(change, 100),
    lambda change: commands.expire(change),
    lambda change: commands.reverse(change, "base", Rate(1, 100), 345, NOW + 900, 0, commands.ARREARS),
    lambda change: commands.adjust(change, 5, NOW + 70, 'said "s":{} and ,"s":{'),
    lambda change: commands.expire(change),
]


def grow(steps: list[Callable[[Draft], object]]) -> list[Entry]:
    entries: list[Entry] = []
    for position, command in enumerate(steps):
        head = entries[-1] if entries else None
        change = Draft(head.state if head else State(), NOW + 10 * position)
        command(change)
        cause = Cause(f"k#till#{position}", f"print-{position}", "till", NOW + position)
        entries.append(chains.seal(CHAIN, head, change, cause))
    return entries


ENTRIES = grow(COMMANDS)
STORED = [Stored(entry.number, entry.ref, entry.body, entry.hash) for entry in ENTRIES]
LAST = len(STORED)


def verify(stored: list[Stored], published: tuple[int, str] | None = None) -> Finding | None:
    verifier = Verifier(CHAIN)
    for entry in stored:
        verifier.feed(entry)
    return verifier.finish(published)


def first_wrong(stored: list[Stored], published: tuple[int, str] | None = None) -> int | None:
    finding = verify(stored, published)
    return None if finding is None else finding.number


def resealed(
    number: int, change: Callable[[dict[str, Any]], object], *, entries: list[Stored] = STORED
) -> list[Stored]:
    """The chain with one entry rewritten by somebody who knows how hashes are made."""
    body = json.loads(entries[number - 1].body)
    change(body)
    return with_body(number, chains.canonical(body), entries=entries)


def with_body(number: int, body: str, *, entries: list[Stored] = STORED) -> list[Stored]:
    ref = entries[number - 1].ref
    hash_ = chains.digest(CHAIN.pk, f"E#{number:012d}", ref, body)
    return [*entries[: number - 1], Stored(number, ref, body, hash_), *entries[number:]]


# ---- making entries


def test_an_entry_is_made_of_its_draft_and_its_cause() -> None:
    entry = ENTRIES[1]
    assert (entry.number, entry.kind, entry.actor, entry.fingerprint) == (2, "earned", "till", "print-1")
    assert (entry.ref, entry.occurred, entry.recorded) == ("k#till#1", NOW + 1, NOW + 10)
    assert entry.previous == ENTRIES[0].hash
    assert entry.moves == [["earned", "r", "base", 9, 20], ["earned", "l", NOW + 900, 0, 123]]
    assert entry.detail == {"points": 123}
    assert entry.state.balance().available == 123


def test_the_first_entry_names_no_hash_before_it() -> None:
    assert ENTRIES[0].previous == chains.GENESIS == ""


def test_entries_are_numbered_without_gaps() -> None:
    assert [entry.number for entry in ENTRIES] == list(range(1, LAST + 1))


def test_the_stored_text_is_the_one_that_stored_entries_have() -> None:
    # Entries written by earlier versions must verify for ever: text and hash of this one may never change.
    assert ENTRIES[0].body == (
        '{"k":"opened","f":"print-0","o":0,"p":"","m":[["","s","open"]],"d":{},'
        '"s":{"v":4,"t":1800000000,"c":["gnrwvi1S","O"]}}'
    )
    assert ENTRIES[4].body == (
        f'{{"k":"redeemed","f":"print-4","o":36,"p":"{ENTRIES[3].hash}",'
        '"m":[["lapsed","h",4,1800000900,-20],["lapsed","l",1800000900,0,20],["spent","l",1800000900,0,-100]],'
        '"d":{"points":100},"s":{"v":4,"t":1800000040,"l":"4jO!S5:)]g","r":{"base":[9,20]},'
        '"c":["gnrwvi1S_7RwoHFL6WcV4wA9hvjE3Amjnm5TsikE","xndYO"]}}'
    )


OLD = Stored(
    1,
    "k#till#0",
    '{"k":"opened","f":"print-0","a":"till","o":1800000000,"p":"","m":[["opened","s","open"]],"d":{},'
    '"s":{"v":1,"k":"member","s":"open","t":1800000000,"c":["gnrwvi1S",0]}}',
    # SHA-256 over each part with its length in 8 bytes before it: worked out with sha256sum and base64.
    "gNiBxkp-7SMJMYhEVtLqA9OX9fiXr0MPIBH7GskgK6U",
)
"""An entry as the first schema had it."""


def test_an_entry_of_the_first_schema_is_read_and_verified_and_goes_on_in_the_newest() -> None:
    old = chains.read(CHAIN, *OLD)
    assert (old.schema, old.actor, old.occurred, old.moves) == (1, "till", NOW, [["opened", "s", "open"]])
    change = Draft(old.state, NOW + 10)
    commands.earn_awards(change, [commands.Award("base", Rate(5, 2))], 739_000, visit=True)
    entry = chains.seal(CHAIN, old, change, Cause("k#till#1", "print-1", "till", NOW))
    assert verify([OLD, Stored(2, entry.ref, entry.body, entry.hash)]) is None
    assert chains.rebuild([old, entry]) == entry.state
    assert (entry.schema, entry.state.purchases) == (4, 1)


def test_an_actor_is_written_down_where_the_reference_does_not_name_it() -> None:
    for ref, actor in [("o#till#1", "till"), ("k#till#1", "till2"), ("k#a#b#1", "a#b"), ("open", "till")]:
        change = Draft(State(), NOW)
        commands.open_account(change, "member")
        entry = chains.seal(CHAIN, None, change, Cause(ref, "print", actor, NOW))
        assert f'"a":"{actor}"' in entry.body
        assert chains.read(CHAIN, 1, ref, entry.body, entry.hash).actor == actor


def test_the_newest_references_travel_in_the_state() -> None:
    assert MAX_RECENT == 6
    assert ENTRIES[-1].state.recent == tuple(
        (chains.tag(f"k#till#{position}"), NOW + 10 * position) for position in range(LAST - 6, LAST)
    )


def test_an_entry_is_read_back_as_it_was_made() -> None:
    for entry, stored in zip(ENTRIES, STORED, strict=True):
        assert chains.read(CHAIN, *stored) == entry


@pytest.mark.parametrize(
    "body",
    ["", "{", "[]", "null", "1", '"x"', "{}", '{"s":"x"}', '{"s":{"v":1}}', '{"s":[]}', "[" * 100_000, '{"s":{"v":2}}'],
)
def test_an_entry_that_cannot_be_read_is_corrupt(body: str) -> None:
    with pytest.raises(Corrupt):
        chains.read(CHAIN, 1, "ref", body, "hash")


def test_texts_that_only_differ_in_where_parts_end_have_other_hashes() -> None:
    assert chains.digest("ab", "c") != chains.digest("a", "bc")
    assert chains.digest("abc") != chains.digest("abc", "")


def test_a_digest_is_sha_256_in_base64url() -> None:
    assert chains.digest() == "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
    assert len(chains.digest("x")) == 43


def test_a_fingerprint_does_not_depend_on_the_order_of_fields_but_on_everything_else() -> None:
    assert chains.fingerprint({"a": 1, "b": 2}) == chains.fingerprint({"b": 2, "a": 1})
    prints = {
        chains.fingerprint(*parts)
        for parts in [({"a": 1},), ({"a": 2},), ({"b": 1},), ({"a": "1"},), ([1],), ([1], []), ("1",), (1,), ()]
    }
    assert len(prints) == 9
    assert {len(text) for text in prints} == {22}


def test_canonical_text_has_nothing_to_choose() -> None:
    assert chains.canonical({"b": [1, 2], "a": "é名"}) == '{"b":[1,2],"a":"é名"}'


# ---- verifying


def test_an_untouched_chain_verifies() -> None:
    assert verify(STORED) is None
    assert verify(STORED, (LAST, STORED[-1].hash)) is None
    assert verify(STORED, (LAST - 2, STORED[-3].hash)) is None


def test_verifying_rebuilds_the_state_to_the_byte() -> None:
    verifier = Verifier(CHAIN)
    for entry in STORED:
        verifier.feed(entry)
    assert verifier.entries == LAST
    assert chains.canonical(verifier.state.encode()) == chains.canonical(ENTRIES[-1].state.encode())


def test_rebuilding_a_chain_gives_the_stored_state_after_every_entry() -> None:
    for count in range(1, LAST + 1):
        rebuilt = chains.rebuild(ENTRIES[:count])
        assert rebuilt == ENTRIES[count - 1].state
        assert STORED[count - 1].body.endswith(f'"s":{chains.canonical(rebuilt.encode())}}}')


def test_an_empty_chain_has_nothing_wrong_unless_something_was_published() -> None:
    assert verify([]) is None
    assert verify([], (1, STORED[0].hash)) == Finding(1, "missing: it was published")


@pytest.mark.parametrize("number", range(1, LAST + 1))
def test_any_changed_character_of_a_body_is_found(number: int) -> None:
    stored = STORED[number - 1]
    for place in range(len(stored.body)):
        other = "7" if stored.body[place] != "7" else "8"
        changed = stored._replace(body=stored.body[:place] + other + stored.body[place + 1 :])
        assert first_wrong([*STORED[: number - 1], changed, *STORED[number:]]) == number


@pytest.mark.parametrize("number", range(1, LAST + 1))
@pytest.mark.parametrize(
    "change",
    [
        lambda stored: stored._replace(ref="k#till#other"),
        lambda stored: stored._replace(hash=chains.digest("other")),
        lambda stored: stored._replace(hash=""),
        lambda stored: stored._replace(body=stored.body + " "),
        lambda stored: stored._replace(body=""),
        lambda stored: stored._replace(ref="", body="", hash=""),
    ],
)
def test_any_changed_attribute_is_found(number: int, change: Callable[[Stored], Stored]) -> None:
    changed = change(STORED[number - 1])
    assert first_wrong([*STORED[: number - 1], changed, *STORED[number:]]) == number


@pytest.mark.parametrize("number", range(1, LAST))
def test_a_missing_entry_is_found(number: int) -> None:
    finding = verify([*STORED[: number - 1], *STORED[number:]])
    assert finding == Finding(number, "missing")


@pytest.mark.parametrize("kept", range(LAST))
def test_entries_missing_from_the_end_are_found_by_what_was_published(kept: int) -> None:
    assert verify(STORED[:kept], (LAST, STORED[-1].hash)) == Finding(kept + 1, "missing: it was published")


@pytest.mark.parametrize("number", range(1, LAST))
def test_two_entries_in_each_others_place_are_found(number: int) -> None:
    one, two = STORED[number - 1], STORED[number]
    swapped = [two._replace(number=number), one._replace(number=number + 1)]
    assert first_wrong([*STORED[: number - 1], *swapped, *STORED[number + 1 :]]) == number


@pytest.mark.parametrize("number", range(2, LAST))
def test_a_removed_entry_whose_place_the_next_ones_take_is_found(number: int) -> None:
    closed_up = [stored._replace(number=stored.number - 1) for stored in STORED[number:]]
    assert first_wrong([*STORED[: number - 1], *closed_up]) == number


def test_a_repeated_entry_is_found() -> None:
    assert first_wrong([*STORED[:3], STORED[2], *STORED[3:]]) == 4


def test_an_entry_of_another_chain_is_found() -> None:
    verifier = Verifier(CHAIN._replace(wallet="cash"))
    verifier.feed(STORED[0])
    assert verifier.finding is not None
    assert verifier.finding.number == 1


@pytest.mark.parametrize("number", range(1, LAST + 1))
@pytest.mark.parametrize(
    "change",
    [
        lambda body: body["s"].update(l=body["s"].get("l", "P") + "PX"),
        lambda body: body["s"].update(k="supplier", a=3),
        lambda body: body["m"].append(["spent", "l", 0, 0, -1]),
        lambda body: body["m"].append(["spent", "h", 1, 0, -1]),
        lambda body: body["m"].append(["repaid", "a", -1]),
        lambda body: body["m"].append(["earned", "l", 0, 0, 1]),
        lambda body: body["m"].append(["earned", "l"]),
        lambda body: body["m"].append(7),
        lambda body: body["m"].append([]),
        lambda body: body["m"].append(["earned", "l", {}, [], "x"]),
        lambda body: body["m"].append(["earned", "r", [], 1, 2]),
        lambda body: body.update(m=7),
        lambda body: body.update(m=None),
    ],
)
def test_an_entry_rewritten_with_a_new_hash_is_found_by_what_its_moves_give(
    number: int, change: Callable[[dict[str, Any]], object]
) -> None:
    assert first_wrong(resealed(number, change)) == number


@pytest.mark.parametrize("number", range(1, LAST))
def test_an_entry_rewritten_without_a_flaw_of_its_own_is_found_by_the_one_after_it(number: int) -> None:
    finding = verify(resealed(number, lambda body: body.update(f="somebody else")))
    assert finding == Finding(number, "rewritten: the next entry names another hash for it")


@pytest.mark.parametrize("number", range(2, LAST))
def test_an_entry_rewritten_with_another_hash_before_it_is_found_by_both_neighbours(number: int) -> None:
    finding = verify(resealed(number, lambda body: body.update(p=chains.digest("other"))))
    assert finding == Finding(number, "rewritten: its neighbours name other hashes")


def test_the_last_entry_rewritten_is_found_by_what_was_published() -> None:
    published = (LAST, STORED[-1].hash)
    assert first_wrong(resealed(LAST, lambda body: body.update(f="somebody else")), published) == LAST
    assert first_wrong(resealed(LAST, lambda body: body.update(p="")), published) == LAST


def test_what_was_published_tells_which_of_the_last_two_was_rewritten() -> None:
    last_but_one = (LAST - 1, STORED[-2].hash)
    assert first_wrong(resealed(LAST, lambda body: body.update(p="")), last_but_one) == LAST
    assert first_wrong(resealed(LAST - 1, lambda body: body.update(f="x")), last_but_one) == LAST - 1
    assert first_wrong(resealed(LAST - 1, lambda body: body.update(f="x")), (LAST, STORED[-1].hash)) == LAST - 1


def test_a_first_entry_that_names_a_hash_before_it_is_found() -> None:
    assert first_wrong(resealed(1, lambda body: body.update(p=chains.digest("other")))) == 1


@pytest.mark.parametrize("published", [3, 5, LAST])
def test_a_chain_rewritten_as_a_whole_from_an_entry_on_is_found_by_what_was_published(published: int) -> None:
    rewritten = grow([*COMMANDS[:2], lambda change: commands.earn(change, [Grant(9_999, 0, 0)]), *COMMANDS[3:]])
    stored = [Stored(entry.number, entry.ref, entry.body, entry.hash) for entry in rewritten]
    assert verify(stored) is None
    assert first_wrong(stored, (published, STORED[published - 1].hash)) == published


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(json.loads(STORED[3].body)),
        json.dumps(json.loads(STORED[3].body), sort_keys=True, separators=(",", ":")),
        "[]",
        "null",
        '{"s":"x"}',
        "{}",
        "[" * 100_000,
    ],
)
def test_a_body_written_in_another_way_is_found_even_with_its_own_hash(body: str) -> None:
    assert first_wrong(with_body(4, body)) == 4


def test_the_first_wrong_entry_is_named_even_when_more_are_wrong() -> None:
    wrong = [
        stored._replace(body="x") if stored.number in (3, 6) else stored for stored in STORED if stored.number != 5
    ]
    assert first_wrong(wrong) == 3
    assert first_wrong(wrong, (LAST, STORED[-1].hash)) == 3
    gone = [stored for stored in resealed(4, lambda body: body.update(f="x")) if stored.number != 6]
    assert first_wrong(gone) == 4


def test_a_rewritten_entry_before_an_unreadable_one_is_named() -> None:
    rewritten = resealed(4, lambda body: body.update(f="x"))
    rewritten[5] = rewritten[5]._replace(body="x")
    assert first_wrong(rewritten) == 4


def test_entries_count_up_to_the_first_wrong_one() -> None:
    verifier = Verifier(CHAIN)
    for stored in resealed(4, lambda body: body["m"].append(7)):
        verifier.feed(stored)
    assert verifier.entries == 4


def test_rebuilding_a_chain_whose_moves_do_not_fit_is_corrupt() -> None:
    torn = [ENTRIES[0], replace(ENTRIES[4], number=2)]
    with pytest.raises(Corrupt):
        chains.rebuild(torn)
