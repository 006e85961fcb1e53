"""Every key of the single table, in one place.

The programme comes first in every partition key, so one programme's rows can never be reached with another's name.
Programme and wallet names are checked where they enter (``[a-z0-9-]``), so ``#`` separates and nothing needs escaping,
except an order's source and number, which are free text and are percent-encoded.

| what | pk | sk |
|---|---|---|
| ledger entry | ``{program}#L#{account}#{wallet}`` | ``E#{number, 12 digits}`` |
| member | ``{program}#M#{shard}`` | ``{member}`` |
| identity | ``{program}#I#{kind}#{hash}`` | ``IDENTITY`` |
| order | ``{program}#O#{source}#{order_id}`` | ``ORDER`` |
| return that waits for its order | the order's | ``WAIT#{return id}`` |
| cancelled redemption | ``{program}#X#{redemption}`` | ``CLAIM`` |
| head of a chain, as last published | ``{program}#H#{shard}`` | ``{account}#{wallet}`` |
| client | ``{program}#C`` | ``{client}`` |
| policy | ``{program}#P`` | ``POLICY`` |
| clock of a sandbox programme | the same | ``CLOCK`` |
| which rule set is in force | ``{program}#R`` | ``CURRENT`` |
| rule set, with its source | the same | ``D#{rule set}`` |
| published version | the same | ``V#{version, 9 digits}`` |
| publish or rollback | the same | ``A#{revision, 9 digits}`` |
| what is too long for them | the same | ``B#{digest}#{part, 2 digits}`` |
| budget of a campaign | ``{program}#B`` | ``{campaign}`` |
| backtest | ``{program}#S`` | ``{simulation}`` |
| newest finished backtest of a rule set | ``{program}#S`` | ``LATEST#{rule set}`` |
| rules of a backtest, and what its shards have found | ``{program}#S#{simulation}`` | ``RULES#{nn}``, ``SHARD#{nn}`` |
"""

from urllib.parse import quote

PK = "pk"
SK = "sk"
REF = "ref"
REF_INDEX = "by_ref"
TYPE = "t"
TTL = "ttl"

HEAD_SHARDS = 16
MEMBER_SHARDS = 16

type_entry = "entry"
type_order = "order"
type_wait = "wait"
type_claim = "claim"
type_member = "member"
type_identity = "identity"
type_head = "head"
type_client = "client"
type_program = "program"
type_clock = "clock"
type_rules = "rules"
type_backtest = "backtest"
type_budget = "budget"

Key = tuple[str, str]
"""A primary key: (pk, sk)."""


def chain(program: str, account: str, wallet: str) -> str:
    """Partition of one wallet's entries."""
    return f"{program}#L#{account}#{wallet}"


def parse_chain(pk: str) -> tuple[str, str, str]:
    """(program, account, wallet) of a chain's partition key; ValueError for any other key."""
    parts = pk.split("#")
    if len(parts) != 4 or parts[1] != "L":
        raise ValueError(f"not a chain: {pk}")
    return parts[0], parts[2], parts[3]


def entry(number: int) -> str:
    """Sort key of entry ``number`` (from 1)."""
    return f"E#{number:012d}"


def parse_entry(sk: str) -> int:
    """Number of the entry at sort key ``sk``; ValueError for any other key."""
    if not sk.startswith("E#") or len(sk) != 14 or not sk[2:].isdecimal():
        raise ValueError(f"not an entry: {sk}")
    return int(sk[2:])


def member_partition(program: str, shard: int) -> str:
    return f"{program}#M#{shard:02d}"


def member(program: str, member_id: str) -> Key:
    """Spread as heads are: ``MEMBER_SHARDS`` partitions together are the list of all members, without an index."""
    return member_partition(program, _shard(member_id, MEMBER_SHARDS)), member_id


def identity(program: str, kind: str, digest: str) -> Key:
    return f"{program}#I#{kind}#{digest}", "IDENTITY"


def order(program: str, source: str, order_id: str) -> Key:
    return f"{program}#O#{quote(source, safe='')}#{quote(order_id, safe='')}", "ORDER"


WAIT_PREFIX = "WAIT#"


def waiting(program: str, source: str, order_id: str, return_id: str) -> Key:
    return order(program, source, order_id)[0], f"{WAIT_PREFIX}{quote(return_id, safe='')}"


def claim(program: str, what: str) -> Key:
    return f"{program}#X#{what}", "CLAIM"


def head_partition(program: str, shard: int) -> str:
    return f"{program}#H#{shard:02d}"


def head(program: str, account: str, wallet: str) -> Key:
    """Spread over ``HEAD_SHARDS`` partitions."""
    return head_partition(program, _shard(account, HEAD_SHARDS)), f"{account}#{wallet}"


def _shard(account: str, shards: int) -> int:
    """By the account's last characters, which are random in a ULID."""
    return sum(map(ord, account[-2:])) % shards


def client_partition(program: str) -> str:
    return f"{program}#C"


def client(program: str, client_id: str) -> Key:
    return client_partition(program), client_id


def policy(program: str) -> Key:
    return f"{program}#P", "POLICY"


def clock(program: str) -> Key:
    """Beside the policy: who may read the one may read the other."""
    return policy(program)[0], "CLOCK"


def budget_partition(program: str) -> str:
    return f"{program}#B"


def budget(program: str, campaign: str) -> Key:
    return budget_partition(program), campaign


BACKTEST_RULES_PREFIX = "RULES#"
BACKTEST_SHARD_PREFIX = "SHARD#"


def backtest_partition(program: str) -> str:
    return f"{program}#S"


def backtest(program: str, simulation: str) -> Key:
    return backtest_partition(program), simulation


def latest_backtest(program: str, rule_set: str) -> Key:
    return backtest_partition(program), f"LATEST#{rule_set}"


def backtest_parts(program: str, simulation: str) -> str:
    """Partition of what belongs to one backtest."""
    return f"{program}#S#{simulation}"


def backtest_rules(program: str, simulation: str, chunk: int) -> Key:
    return backtest_parts(program, simulation), f"{BACKTEST_RULES_PREFIX}{chunk:02d}"


def backtest_shard(program: str, simulation: str, shard: int) -> Key:
    return backtest_parts(program, simulation), f"{BACKTEST_SHARD_PREFIX}{shard:02d}"


CURRENT_RULES = "CURRENT"
RULE_SET_PREFIX = "D#"
ACT_PREFIX = "A#"


def rules_partition(program: str) -> str:
    """All about a programme's rule sets: few items, rarely written, read by running copies when they start."""
    return f"{program}#R"


def rule_set(program: str, rule_set_id: str) -> Key:
    """In the order of age, for ids are made of the time."""
    return rules_partition(program), f"{RULE_SET_PREFIX}{rule_set_id}"


def rules_version(program: str, version: int) -> Key:
    return rules_partition(program), f"V#{version:09d}"


def rules_act(program: str, revision: int) -> Key:
    return rules_partition(program), f"{ACT_PREFIX}{revision:09d}"


def rules_current(program: str) -> Key:
    return rules_partition(program), CURRENT_RULES


def rules_blob(program: str, digest: str, part: int) -> Key:
    """Part of a text that is named by its digest."""
    return rules_partition(program), f"{rules_blob_prefix(digest)}{part:02d}"


def rules_blob_prefix(digest: str) -> str:
    return f"B#{digest}#"
