"""Keys of the table."""

from collections import Counter

import pytest

from loyalty.ids import ulid
from loyalty.table import keys

ACCOUNT = "mem_01ARZ3NDEKTSV4RRFFQ69G5FAV"


def test_every_partition_begins_with_its_programme() -> None:
    partitions = [
        keys.chain("acme", ACCOUNT, "points"),
        keys.member("acme", ACCOUNT)[0],
        keys.identity("acme", "phone", "abc")[0],
        keys.order("acme", "pos", "1")[0],
        keys.waiting("acme", "pos", "1", "r1")[0],
        keys.claim("acme", "x")[0],
        keys.head_partition("acme", 3),
        keys.head("acme", ACCOUNT, "points")[0],
        keys.client_partition("acme"),
        keys.client("acme", "till")[0],
        keys.policy("acme")[0],
        keys.backtest("acme", "sim")[0],
        keys.latest_backtest("acme", "rls")[0],
        keys.backtest_rules("acme", "sim", 0)[0],
        keys.backtest_shard("acme", "sim", 3)[0],
        keys.campaign("acme", "hello")[0],
        keys.campaign_parts("acme", "hello"),
        keys.participant("acme", "hello", ACCOUNT, "2026")[0],
        keys.journey("acme", ACCOUNT, "hello", "2026")[0],
        keys.addresses("acme", ACCOUNT)[0],
        keys.outgoing("acme", ACCOUNT, 5, "m1")[0],
        keys.contact_policy("acme")[0],
        keys.channel_token("acme", "wechat")[0],
        keys.endpoint("acme", "whk_1")[0],
        keys.deliveries_partition("acme", "whk_1", 3),
    ]
    assert {partition.split("#")[0] for partition in partitions} == {"acme"}
    assert all(partition.startswith("acme#") for partition in partitions)


def test_the_keys_are_those_that_stored_rows_have() -> None:
    # Rows written by earlier versions lie under these; a change here needs a migration.
    assert keys.chain("acme", ACCOUNT, "points") == f"acme#L#{ACCOUNT}#points"
    assert keys.entry(7) == "E#000000000007"
    assert keys.member("acme", ACCOUNT) == ("acme#M#07", ACCOUNT)
    assert keys.identity("acme", "phone", "h") == ("acme#I#phone#h", "IDENTITY")
    assert keys.order("acme", "pos", "1") == ("acme#O#pos#1", "ORDER")
    assert keys.waiting("acme", "pos", "1", "r") == ("acme#O#pos#1", "WAIT#r")
    assert keys.claim("acme", "a#points#3") == ("acme#X#a#points#3", "CLAIM")
    assert keys.head("acme", ACCOUNT, "points") == ("acme#H#07", f"{ACCOUNT}#points")
    assert keys.client("acme", "till") == ("acme#C", "till")
    assert keys.policy("acme") == ("acme#P", "POLICY")
    assert keys.rules_current("acme") == ("acme#R", "CURRENT")
    assert keys.rule_set("acme", "rls_1") == ("acme#R", "D#rls_1")
    assert keys.rules_version("acme", 12) == ("acme#R", "V#000000012")
    assert keys.rules_act("acme", 12) == ("acme#R", "A#000000012")
    assert keys.rules_blob("acme", "d1", 3) == ("acme#R", "B#d1#03")
    assert keys.backtest("acme", "sim") == ("acme#S", "sim")
    assert keys.latest_backtest("acme", "rls") == ("acme#S", "LATEST#rls")
    assert keys.backtest_rules("acme", "sim", 0) == ("acme#S#sim", "RULES#00")
    assert keys.backtest_shard("acme", "sim", 3) == ("acme#S#sim", "SHARD#03")
    assert keys.campaign("acme", "hello") == ("acme#K", "hello")
    assert keys.participant("acme", "hello", ACCOUNT, "2026") == ("acme#Z#hello#07", f"{ACCOUNT}#2026")
    assert keys.journey("acme", ACCOUNT, "hello", "2026") == (f"acme#J#{ACCOUNT}", "P#hello#2026")
    assert keys.times("acme", ACCOUNT, "hello") == (f"acme#J#{ACCOUNT}", "TIMES#hello")
    assert keys.message("acme", ACCOUNT, "m1") == (f"acme#J#{ACCOUNT}", "N#m1")
    assert keys.contact_record("acme", ACCOUNT) == (f"acme#J#{ACCOUNT}", "CONTACT")
    assert keys.preferences("acme", ACCOUNT) == (f"acme#J#{ACCOUNT}", "PREFERENCES")
    assert keys.addresses("acme", ACCOUNT) == (f"acme#A#{ACCOUNT}", "ADDRESSES")
    assert keys.outgoing("acme", ACCOUNT, 5, "m1") == ("acme#U#07", f"0000000005#{ACCOUNT}#m1")
    assert keys.undelivered("acme", ACCOUNT, "m1") == ("acme#U#07", f"DEAD#{ACCOUNT}#m1")
    assert keys.handed_on("acme", 7) == ("acme#U#07", "HANDED")
    assert keys.channel_returns("acme", 3) == ("acme#E", "RETURN#03")


def test_a_chain_is_read_back_from_its_partition() -> None:
    assert keys.parse_chain(keys.chain("acme", ACCOUNT, "points")) == ("acme", ACCOUNT, "points")


@pytest.mark.parametrize("pk", ["", "acme", "acme#M#x", "acme#O#pos#1", "acme#L#x", "acme#L#x#points#1"])
def test_another_partition_is_no_chain(pk: str) -> None:
    with pytest.raises(ValueError, match="not a chain"):
        keys.parse_chain(pk)


@pytest.mark.parametrize("number", [1, 9, 10, 123_456, 999_999_999_999])
def test_an_entrys_number_is_read_back_from_its_key(number: int) -> None:
    assert keys.parse_entry(keys.entry(number)) == number


@pytest.mark.parametrize(
    "sk", ["", "E#", "E#1", "E#0000000000001", "F#000000000001", "E#00000000000x", "E#-00000000001"]
)
def test_another_sort_key_is_no_entry(sk: str) -> None:
    with pytest.raises(ValueError, match="not an entry"):
        keys.parse_entry(sk)


def test_entries_sort_by_their_number() -> None:
    numbers = [1, 2, 9, 10, 11, 99, 100, 12_345, 999_999_999_999]
    assert sorted(map(keys.entry, numbers)) == [keys.entry(number) for number in numbers]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("a#b", "c"), ("a", "b#c")),
        (("a", "b"), ("a%23b", "")),
        (("a/b", "c"), ("a", "b/c")),
        (("pos", "1"), ("POS", "1")),
        (("pos", "1 "), ("pos", "1")),
        (("pos", "1%"), ("pos", "1%25")),
    ],
)
def test_no_two_orders_share_a_key_whatever_they_are_called(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert keys.order("acme", *one) != keys.order("acme", *other)


@pytest.mark.parametrize("text", ["a#b", "a/b", "ORDER", "名", " "])
def test_free_text_never_separates(text: str) -> None:
    assert keys.order("acme", text, text)[0].count("#") == 3
    assert keys.waiting("acme", "pos", "1", text)[1].count("#") == 1


def test_heads_and_members_spread_over_all_of_their_partitions() -> None:
    accounts = [f"mem_{ulid(0, number.to_bytes(10, 'big'))}" for number in range(1024)]
    heads = Counter(keys.head("acme", account, "points")[0] for account in accounts)
    members = Counter(keys.member("acme", account)[0] for account in accounts)
    assert set(heads) == {keys.head_partition("acme", shard) for shard in range(keys.HEAD_SHARDS)}
    assert set(members) == {keys.member_partition("acme", shard) for shard in range(keys.MEMBER_SHARDS)}
    assert max(heads.values()) < 3 * min(heads.values())
    assert max(members.values()) < 3 * min(members.values())


def test_a_head_is_named_for_its_chain() -> None:
    assert keys.head("acme", ACCOUNT, "points")[1] == f"{ACCOUNT}#points"
    assert keys.head("acme", ACCOUNT, "points") != keys.head("acme", ACCOUNT, "cash")
