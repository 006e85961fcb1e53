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
| churn parameters in force | ``{program}#F`` | ``CURRENT`` |
| a version of them | the same | ``V#{version, 9 digits}`` |
| how the newest fit went | the same | ``FIT`` |
| timer | ``{program}#T#{kind}#{shard}`` | ``{day, 7 digits}#{account}#{wallet}`` |
| how far the nights have come, by kind | ``{program}#T`` | ``DONE#{kind}`` |
| the terms that timers were armed under | ``{program}#T`` | ``TERMS`` |
| an account that a night could not see to | ``{program}#T`` | ``ASIDE#{kind}#{account}#{wallet}`` |
| a programme that has nights | ``ALL#N``, of all programmes | ``{program}`` |
| segments of a programme | ``{program}#G`` | ``SEGMENTS`` |
| how many members a segment has | the same | ``COUNT#{segment}#{shard}`` |
| how points are spread over members | the same | ``POINTS#{shard}`` |
| a page of a look at everybody | the same | ``SWEEP#{version}#{phase}#{shard}#{step}`` |
| where a member stands, and the segments entered and left | ``{program}#G#{account}`` | ``PROFILE``, ``M#{version}`` |
| member of a segment | ``{program}#Y#{segment}#{shard}`` | ``{account}`` |
| campaign, as it was handed in and how far it has come | ``{program}#K`` | ``{campaign}`` |
| the same of one that is under way | ``{program}#K#LIVE`` | ``{campaign}`` |
| what belongs to one campaign | ``{program}#K#{campaign}`` | named by the campaigns' store |
| who takes part in a campaign, and in which group | ``{program}#Z#{campaign}#{shard}`` | ``{account}#{occasion}`` |
| a member's way through a campaign | ``{program}#J#{account}`` | ``P#{campaign}#{occasion}`` |
| how often the member took part in a campaign that waits some days in between | the same | ``TIMES#{campaign}`` |
| what the member was sent, as caps count it | the same | ``CONTACT`` |
| what the member agreed to and prefers | the same | ``PREFERENCES`` |
| message to the member | the same | ``N#{message}`` |
| where the member is reached | ``{program}#A#{account}`` | ``ADDRESSES`` |
| message that waits for its time | ``{program}#U#{shard}`` | ``{due, 10 digits}#{account}#{message}`` |
| message that could not be sent, or is in doubt for good | the same | ``DEAD#{account}#{message}`` |
| how far the shard was handed on | the same | ``HANDED`` |
| contact policy | ``{program}#E`` | ``CONTACT`` |
| what channels brought, in parts that add up | the same | ``RETURN#{part, 2 digits}`` |
| access token of a channel | ``{program}#V`` | ``{channel}`` |
| reports of what a provider took, as heard | ``ALL#Q#{path}``, of all programmes | ``{slot, 10 digits}`` |
| partner's endpoint | ``{program}#W`` | ``{endpoint}`` |
| what is to be delivered to it | ``{program}#W#{endpoint}#{shard}`` | named by the webhooks' store |
| rules of a backtest, and what its shards have found | ``{program}#S#{simulation}`` | ``RULES#{nn}``, ``SHARD#{nn}`` |
"""

from urllib.parse import quote, unquote

PK = "pk"
SK = "sk"
REF = "ref"
REF_INDEX = "by_ref"
TYPE = "t"
TTL = "ttl"

HEAD_SHARDS = 16
MEMBER_SHARDS = 16
TIMER_SHARDS = HEAD_SHARDS
"""A sweep goes through heads and timers alike."""

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
type_segments = "segments"
type_sweep = "sweep"
type_profile = "profile"
type_audience = "audience"
type_churn = "churn"
type_timer = "timer"
type_night = "night"
type_campaign = "campaign"
type_participant = "participant"
type_times = "times"
type_journey = "journey"
type_contact = "contact"
type_message = "message"
type_addresses = "addresses"
type_outgoing = "outgoing"
type_endpoint = "endpoint"
type_delivery = "delivery"
type_access = "access"
type_told = "told"

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


def parse_order(pk: str) -> tuple[str, str, str]:
    """(program, source, order id) of an order's partition key; ValueError for any other key."""
    parts = pk.split("#")
    if len(parts) != 4 or parts[1] != "O":
        raise ValueError(f"not an order: {pk}")
    return parts[0], unquote(parts[2]), unquote(parts[3])


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


def churn_partition(program: str) -> str:
    """What was fitted: nobody's account, and no key of anybody in it."""
    return f"{program}#F"


def churn_current(program: str) -> Key:
    return churn_partition(program), "CURRENT"


def churn_version(program: str, version: int) -> Key:
    return churn_partition(program), f"V#{version:09d}"


def churn_fit(program: str) -> Key:
    return churn_partition(program), "FIT"


NIGHT_PROGRAMS = "ALL#N"
"""The one partition that is no programme's: names of programmes have no capitals."""
NIGHT_DONE = "DONE#"
NIGHT_ASIDE = "ASIDE#"


def timer_partition(program: str, kind: str, shard: int) -> str:
    return f"{program}#T#{kind}#{shard:02d}"


def timer_day(day: int) -> str:
    """What the sort keys of a day's timers begin with."""
    return f"{day:07d}#"


def timer(program: str, account: str, wallet: str, kind: str, day: int) -> Key:
    """Spread as heads are."""
    return timer_partition(program, kind, _shard(account, TIMER_SHARDS)), f"{timer_day(day)}{account}#{wallet}"


def night_partition(program: str) -> str:
    return f"{program}#T"


def night_mark(program: str, kind: str) -> Key:
    return night_partition(program), f"{NIGHT_DONE}{kind}"


def night_terms(program: str) -> Key:
    return night_partition(program), "TERMS"


def night_aside(program: str, account: str, wallet: str, kind: str) -> Key:
    return night_partition(program), f"{NIGHT_ASIDE}{kind}#{account}#{wallet}"


def night_program(program: str) -> Key:
    return NIGHT_PROGRAMS, program


COUNT_PREFIX = "COUNT#"
POINTS_PREFIX = "POINTS#"
MOVES_PREFIX = "M#"


def segments_partition(program: str) -> str:
    """What there is once in a programme; counts are spread, so that many can be counted at once."""
    return f"{program}#G"


def segments(program: str) -> Key:
    return segments_partition(program), "SEGMENTS"


def segment_count(program: str, segment: str, account: str) -> Key:
    """Where the members are counted that are kept with this one."""
    return segments_partition(program), f"{COUNT_PREFIX}{segment}#{_shard(account, MEMBER_SHARDS):02d}"


def points_spread(program: str, account: str) -> Key:
    return segments_partition(program), f"{POINTS_PREFIX}{_shard(account, MEMBER_SHARDS):02d}"


def segments_sweep(program: str, version: int, phase: str, shard: int, step: int) -> Key:
    return segments_partition(program), f"{segments_sweeps(version, phase)}{shard:02d}#{step:09d}"


def segments_sweeps(version: int, phase: str) -> str:
    """What the sort keys of a phase of a sweep begin with."""
    return f"SWEEP#{version:09d}#{phase}#"


def profile(program: str, account: str) -> Key:
    return f"{program}#G#{account}", "PROFILE"


def audience_moves(program: str, account: str, version: int) -> Key:
    """The segments entered and left by a version of a profile."""
    return profile(program, account)[0], f"{MOVES_PREFIX}{version:09d}"


def segment_partition(program: str, segment: str, shard: int) -> str:
    return f"{program}#Y#{segment}#{shard:02d}"


def segment_member(program: str, segment: str, account: str) -> Key:
    return segment_partition(program, segment, _shard(account, MEMBER_SHARDS)), account


def campaigns_partition(program: str) -> str:
    return f"{program}#K"


def campaign(program: str, campaign_id: str) -> Key:
    return campaigns_partition(program), campaign_id


def campaign_parts(program: str, campaign_id: str) -> str:
    """Partition of what belongs to one campaign: its runs, looks and reports."""
    return f"{program}#K#{campaign_id}"


def live_campaigns_partition(program: str) -> str:
    """Those alone that are scheduled, running or paused: no campaign has capitals in its id."""
    return campaign_parts(program, "LIVE")


def live_campaign(program: str, campaign_id: str) -> Key:
    return live_campaigns_partition(program), campaign_id


PARTICIPANT_SHARDS = MEMBER_SHARDS


def participants_partition(program: str, campaign_id: str, shard: int) -> str:
    return f"{program}#Z#{campaign_id}#{shard:02d}"


def participant(program: str, campaign_id: str, account: str, occasion: str) -> Key:
    """Spread as members are; once per occasion (a year of a birthday, an entry of an alert)."""
    shard = _shard(account, PARTICIPANT_SHARDS)
    return participants_partition(program, campaign_id, shard), f"{account}#{occasion}"


JOURNEY_PREFIX = "P#"
MESSAGE_PREFIX = "N#"


def journeys_partition(program: str, account: str) -> str:
    """All about telling one member something, read together: journeys, messages, what was agreed to."""
    return f"{program}#J#{account}"


def journey(program: str, account: str, campaign_id: str, occasion: str) -> Key:
    return journeys_partition(program, account), f"{JOURNEY_PREFIX}{campaign_id}#{occasion}"


def times(program: str, account: str, campaign_id: str) -> Key:
    return journeys_partition(program, account), f"TIMES#{campaign_id}"


def contact_record(program: str, account: str) -> Key:
    return journeys_partition(program, account), "CONTACT"


def preferences(program: str, account: str) -> Key:
    return journeys_partition(program, account), "PREFERENCES"


def message(program: str, account: str, name: str) -> Key:
    return journeys_partition(program, account), f"{MESSAGE_PREFIX}{name}"


def addresses(program: str, account: str) -> Key:
    """Apart from all else: only who sends, and who takes addresses down, may read them."""
    return f"{program}#A#{account}", "ADDRESSES"


OUTGOING_SHARDS = MEMBER_SHARDS


def outgoing_partition(program: str, shard: int) -> str:
    return f"{program}#U#{shard:02d}"


def outgoing(program: str, account: str, due: int, name: str) -> Key:
    """In the order of the second from which a message may leave."""
    return outgoing_partition(program, _shard(account, OUTGOING_SHARDS)), f"{due:010d}#{account}#{name}"


DEAD_PREFIX = "DEAD#"


def undelivered(program: str, account: str, name: str) -> Key:
    """Behind all that is due, in the same partitions."""
    return outgoing_partition(program, _shard(account, OUTGOING_SHARDS)), f"{DEAD_PREFIX}{account}#{name}"


def handed_on(program: str, shard: int) -> Key:
    return outgoing_partition(program, shard), "HANDED"


RETURN_PREFIX = "RETURN#"
RETURN_PARTS = 8


def channel_returns(program: str, part: int) -> Key:
    return contact_policy(program)[0], f"{RETURN_PREFIX}{part:02d}"


def contact_policy(program: str) -> Key:
    return f"{program}#E", "CONTACT"


def channel_token(program: str, channel: str) -> Key:
    return f"{program}#V", channel


def heard_partition(path: str) -> str:
    """A path is the provider's name for the way its reports come by (a configuration set), and no programme's own."""
    return f"ALL#Q#{path}"


def heard(path: str, slot: int) -> Key:
    return heard_partition(path), f"{slot:010d}"


def endpoints_partition(program: str) -> str:
    return f"{program}#W"


def endpoint(program: str, endpoint_id: str) -> Key:
    return endpoints_partition(program), endpoint_id


DELIVERY_SHARDS = MEMBER_SHARDS


def deliveries_partition(program: str, endpoint_id: str, shard: int) -> str:
    return f"{program}#W#{endpoint_id}#{shard:02d}"


def deliveries_of(program: str, endpoint_id: str, account: str) -> str:
    """The partition of what concerns one member; what is nobody's has one too."""
    return deliveries_partition(program, endpoint_id, _shard(account, DELIVERY_SHARDS))
