"""Ids."""

import pytest

from loyalty.ids import Located, is_account, locate, located, ulid

ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


def test_a_ulid_is_its_time_and_its_randomness_in_crockfords_base32() -> None:
    # The example of github.com/ulid/spec: 01ARZ3NDEK is 1469922850259 ms, TSV4RRFFQ69G5FAV its 80 random bits.
    assert ulid(1_469_922_850_259, bytes.fromhex("d6764c61efb99302bd5b")) == ULID


def test_the_smallest_and_the_largest_ulid() -> None:
    assert ulid(0, bytes(10)) == "0" * 26
    assert ulid(2**48 - 1, b"\xff" * 10) == "7" + "Z" * 25


def test_only_ten_random_bytes_are_used() -> None:
    assert ulid(1, b"\x01" * 10) == ulid(1, b"\x01" * 16)


def test_later_ulids_sort_after_earlier_ones() -> None:
    assert ulid(1_000, b"\xff" * 10) < ulid(1_001, bytes(10))


@pytest.mark.parametrize("text", [f"mem_{ULID}", "mem_" + "0" * 26, "mem_7" + "Z" * 25])
def test_an_account_is_its_prefix_and_a_ulid(text: str) -> None:
    assert is_account(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ULID,
        f"ent_{ULID}",
        f"mem_{ULID[:-1]}",
        f"mem_{ULID}0",
        f"mem_{ULID.lower()}",
        "mem_8" + "0" * 25,
        "mem_" + "I" * 26,
        "mem_0" + "U" * 25,
        f"mem_{ULID}\n",
        f"x#mem_{ULID}",
    ],
)
def test_anything_else_is_no_account(text: str) -> None:
    assert not is_account(text)


@pytest.mark.parametrize("prefix", ["ent", "hld", "red"])
def test_an_id_says_where_its_entry_lies(prefix: str) -> None:
    text = located(prefix, f"mem_{ULID}", "points", 17)
    assert text == f"{prefix}_{ULID}-points-17"
    assert locate(prefix, text) == Located(f"mem_{ULID}", "points", 17)


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"hld_{ULID}-points-17",
        f"red_{ULID}-points-0",
        f"red_{ULID}-points-017",
        f"red_{ULID}-points--1",
        f"red_{ULID}-points-",
        f"red_{ULID}-points-1x",
        f"red_{ULID}-points-1000000000000",
        f"red_{ULID}-Points-1",
        f"red_{ULID}-1points-1",
        f"red_{ULID}-a23456789012345678-1",
        f"red_{ULID}-points-1\n",
        f"red_{ULID.lower()}-points-1",
        f"red_{ULID}#points#1",
        "red_8" + "0" * 25 + "-points-1",
    ],
)
def test_what_is_not_an_id_of_that_kind_points_at_nothing(text: str) -> None:
    assert locate("red", text) is None
