"""Every function: what starts it, what it is given, and exactly what it may touch. Plain data, read by the constructs.

To add a function, add its folder under functions/ and its entry here; a test holds the two lists equal. A function
reads and writes only the partitions named here: the conditions on its role are made from `loyalty.table.keys`.
"""

from dataclasses import dataclass

from loyalty.runtime.relay import CHANGED, NEW, TAKES
from loyalty.table import keys

# Partition keys with any programme and any rest, as patterns for `dynamodb:LeadingKeys`. Values never contain "#"
# (keys.py), so "*#M#*" matches members and nothing else.


def _pattern(partition: str) -> str:
    _, kind, *rest = partition.split("#")
    return f"*#{kind}#*" if rest else f"*#{kind}"


CHAINS = _pattern(keys.chain("p", "a", "w"))
MEMBERS = _pattern(keys.member("p", "m")[0])
IDENTITIES = _pattern(keys.identity("p", "k", "d")[0])
ORDERS = _pattern(keys.order("p", "s", "o")[0])
CLAIMS = _pattern(keys.claim("p", "w")[0])
HEADS = _pattern(keys.head_partition("p", 0))
CLIENTS = _pattern(keys.client_partition("p"))
POLICIES = _pattern(keys.policy("p")[0])
BUDGETS = _pattern(keys.budget_partition("p"))
RULES = _pattern(keys.rules_partition("p"))
BACKTESTS = _pattern(keys.backtest_partition("p"))
BACKTEST_PARTS = _pattern(keys.backtest_parts("p", "s"))
TIMERS = _pattern(keys.timer_partition("p", "k", 0))
NIGHTS = _pattern(keys.night_partition("p"))
NIGHT_PROGRAMS = keys.NIGHT_PROGRAMS

CHURN = _pattern(keys.churn_partition("p"))
JOURNEYS = _pattern(keys.journeys_partition("p", "a"))
ADDRESSES = _pattern(keys.addresses("p", "a")[0])
CONTACT_POLICIES = _pattern(keys.contact_policy("p")[0])
SEGMENTS = _pattern(keys.segments_partition("p"))
PROFILES = _pattern(keys.profile("p", "a")[0])
CAMPAIGNS = _pattern(keys.campaigns_partition("p"))
CAMPAIGN_PARTS = _pattern(keys.campaign_parts("p", "c"))
PARTICIPANTS = _pattern(keys.participants_partition("p", "c", 0))
SEGMENT_MEMBERS = _pattern(keys.segment_partition("p", "s", 0))
OUTGOING = _pattern(keys.outgoing_partition("p", 0))
WEBHOOKS = _pattern(keys.endpoints_partition("p"))
WEBHOOK_LINES = _pattern(keys.deliveries_partition("p", "e", 0))
CHANNEL_TOKENS = _pattern(keys.channel_token("p", "c")[0])
HEARD = _pattern(keys.heard_partition("set"))

GET = "dynamodb:GetItem"
QUERY = "dynamodb:Query"
PUT = "dynamodb:PutItem"
DELETE = "dynamodb:DeleteItem"
BATCH_GET = "dynamodb:BatchGetItem"


EVERY = ("*",)
"""Events of all types."""
OURS = "loyalty"
"""Source of the events that the outbox publishes."""
REPORTS = "delivery"
"""The queue that reports of what became of messages are put on: by SES through a topic, by others themselves."""


@dataclass(frozen=True)
class Access:
    """Actions on the items of some partitions. A transaction needs the actions of its parts, nothing of its own."""

    actions: tuple[str, ...]
    partitions: tuple[str, ...]


@dataclass(frozen=True)
class Http:
    """Answers the routes that `loyalty.routes` gives it."""


@dataclass(frozen=True)
class Authorizer:
    """Asked by the gateway who a caller is."""


@dataclass(frozen=True)
class FromQueue:
    """Drains the queue of that name, each message ``delay_s`` after it came; answers with those that failed. With
    ``events`` the bus puts every event of these types on the queue.
    """

    queue: str
    batch_size: int
    max_concurrency: int
    delay_s: int = 0
    events: tuple[str, ...] = ()


@dataclass(frozen=True)
class FromStream:
    """Follows the items added to the table whose type is one of ``types``, and those changed whose type is one of
    ``changed``; a batch that fails comes again. There are two of it, for a shard of the stream serves no more: whoever
    needs to know takes it from the relay.
    """

    types: tuple[str, ...]
    batch_size: int
    window_s: int
    retries: int
    changed: tuple[str, ...] = ()

    def takes(self, event: str, kind: str) -> bool:
        """Whether a record of the stream is for it: ``event`` as the stream calls it, ``kind`` the item's type."""
        return kind in {"INSERT": self.types, "MODIFY": self.changed}.get(event, ())


@dataclass(frozen=True)
class FromNight:
    """Called by the state machine of the night with batches of what is due of these kinds; the one without kinds plans
    it.
    """

    kinds: tuple[str, ...] = ()


@dataclass(frozen=True)
class FromCampaign:
    """Called by the state machine of campaigns at this step of it."""

    step: str


@dataclass(frozen=True)
class Scheduled:
    """Called by the scheduler, at the times of the expression, with an empty event."""

    expression: str


Trigger = Http | Authorizer | FromQueue | FromStream | FromNight | FromCampaign | Scheduled


@dataclass(frozen=True)
class Function:
    """One function. ``name`` is its folder, its construct, and the last part of its name in AWS."""

    name: str
    does: str
    trigger: Trigger
    memory_mb: int = 512
    timeout_s: int = 10
    table: tuple[Access, ...] = ()
    signs: bool = False
    """Reads the secret that signs tokens and allowances."""
    signs_links: bool = False
    """Reads the secret that signs links in messages: those to follow, and those to unsubscribe."""
    finds_members: bool = False
    """Reads the secret under which identities are hashed, to find a member by phone, card or address."""
    seals_rules: bool = False
    """Reads the secret under which published rule sets are sealed: to seal them, or to know that they are ours."""
    sends_messages: bool = False
    """Reads how providers are reached, and sends mail, text messages and push messages; looks whether reports wait."""
    sends_to: tuple[str, ...] = ()
    """Puts messages on the queues of these names."""
    knows_its_address: bool = False
    """Writes links that lead to the API."""
    gives_up_to_dead_letters: bool = False
    """Puts a message that can never be processed on the ingest queue's dead-letter queue, with the reason."""
    runs_campaigns: bool = False
    """Starts the state machine of campaigns, and calls back one that waits."""
    publishes: bool = False
    third_party: bool = True
    """Imports from the `deps` layer."""
    science: bool = False
    """Imports from the `science` layer, too."""
    files: tuple[str, ...] = ()
    """Files outside its folder that go into its package, by their path in the repository."""


RUNTIME_SERVICES = ("dynamodb", "events", "secretsmanager", "sesv2", "sns", "sqs", "stepfunctions")
"""The AWS services that functions call; botocore's data in the `deps` layer is trimmed to these."""

_LEDGER = Access((QUERY, GET, PUT), (CHAINS,))
_ACCOUNT = Access((GET,), (MEMBERS, POLICIES))
"""A wallet is opened by its first entry, for a member that there is."""
_ALERT = Access((GET,), (CHURN,))
"""The day of a member's alert follows from the models' parameters; whoever writes entries arms it."""
_FIND = Access((GET,), (IDENTITIES,))
_LEASE = Access((GET, PUT), (BUDGETS,))
"""A campaign's budget is leased in blocks, and a lease is written down in the budget."""
_RULES = Access((QUERY, GET), (RULES,))
"""Which version is in force, and what it consists of."""

_DUE = (Access((QUERY, GET, PUT), (TIMERS,)), Access((PUT,), (NIGHTS,)))
"""What is due is read, armed anew, or set aside with its reason."""

_NOTICES = (_LEDGER, _ALERT, Access((GET,), (POLICIES,)), Access((GET, PUT), (JOURNEYS, CONTACT_POLICIES)))
"""Messages as they come along, what their channels bring, and the ledger, which hears of what the member was told."""

_IN_SEGMENTS = Access((GET,), (PROFILES,))
"""The segments that a member is in, for rules that ask."""
_STANDING = (
    Access((QUERY, GET), (SEGMENTS,)),
    Access((PUT,), (SEGMENTS,)),
    Access((GET, PUT), (PROFILES,)),
    Access((PUT, DELETE), (SEGMENT_MEMBERS,)),
    Access((PUT,), (TIMERS,)),
    Access((GET,), (CHURN,)),
)
"""Who is in which segment is worked out, counted and told."""

_CAMPAIGN = Access((GET,), (CAMPAIGNS, CAMPAIGN_PARTS))
"""How far a campaign has come, and what it is."""
_KNOWN = (
    Access((QUERY,), (CHAINS, SEGMENTS)),
    Access((GET,), (MEMBERS, POLICIES, PROFILES, CONTACT_POLICIES, CHURN)),
)
"""What is known of a member, for conditions that ask."""
_ASSIGNS = (*_KNOWN, Access((QUERY, PUT), (PARTICIPANTS,)), Access((PUT,), (JOURNEYS, TIMERS)))
"""Whoever takes part is written down, and a way begun; what a day brings later is armed."""
_TELLS = (
    *_ASSIGNS,
    _LEDGER,
    _LEASE,
    Access((QUERY,), (CAMPAIGN_PARTS, CONTACT_POLICIES)),
    _CAMPAIGN,
    Access((QUERY, GET), (JOURNEYS,)),
    Access((PUT,), (OUTGOING,)),
)
"""Whoever takes part is given something, and told."""

_SWAGGER = "node_modules/swagger-ui-dist"

CATALOGUE: tuple[Function, ...] = (
    Function(
        "authorize",
        "Who is calling, and what they may do",
        Authorizer(),
        table=(Access((GET,), (CLIENTS,)),),
        signs=True,
    ),
    Function(
        "earn",
        "Points from purchases and events",
        Http(),
        table=(_LEDGER, _ACCOUNT, _ALERT, _RULES, _IN_SEGMENTS, _FIND, _LEASE, Access((PUT, DELETE), (ORDERS,))),
        finds_members=True,
        seals_rules=True,
    ),
    Function(
        "quote",
        "What a basket or an event would earn",
        Http(),
        table=(Access((QUERY,), (CHAINS,)), Access((GET,), (BUDGETS,)), _ACCOUNT, _RULES, _IN_SEGMENTS, _FIND),
        finds_members=True,
        seals_rules=True,
    ),
    Function(
        "reverse",
        "Returns of purchases",
        Http(),
        table=(_LEDGER, _ACCOUNT, _ALERT, _RULES, Access((GET, PUT, DELETE), (ORDERS,))),
        seals_rules=True,
    ),
    Function(
        "redeem",
        "Spending points, and giving a redemption back",
        Http(),
        table=(_LEDGER, _ACCOUNT, _ALERT, Access((PUT,), (CLAIMS,))),
    ),
    Function(
        "hold",
        "Setting points aside, capturing and releasing them",
        Http(),
        table=(_LEDGER, _ACCOUNT, _ALERT, _FIND),
        signs=True,
        finds_members=True,
    ),
    Function("adjust", "Corrections, transfers and expiry, by operators", Http(), table=(_LEDGER, _ACCOUNT, _ALERT)),
    Function(
        "members",
        "Members, their identities, their tokens",
        Http(),
        table=(
            _LEDGER,
            Access((QUERY, GET, PUT), (MEMBERS,)),
            Access((GET, PUT, DELETE), (IDENTITIES,)),
            Access((PUT,), (CLAIMS,)),
            Access((GET,), (POLICIES,)),
        ),
        signs=True,
        finds_members=True,
    ),
    Function(
        "balance",
        "Balances, entries, verification",
        Http(),
        memory_mb=512,
        timeout_s=28,  # to verify a long chain; the gateway waits no longer than 30
        table=(Access((QUERY, GET), (CHAINS,)), Access((GET,), (HEADS, MEMBERS, POLICIES))),
    ),
    Function(
        "explain",
        "Why an entry says what it says",
        Http(),
        table=(Access((GET,), (CHAINS, ORDERS)), _RULES),
        seals_rules=True,
    ),
    Function(
        "tiers",
        "Tiers: told, set by hand, tried",
        Http(),
        memory_mb=1769,  # a whole CPU: a page of a simulation reads hundreds of accounts
        timeout_s=28,
        table=(_LEDGER, _ACCOUNT, _ALERT, Access((QUERY,), (HEADS,))),
    ),
    Function(
        "contacts",
        "What members agreed to, where they are reached, and how often",
        Http(),
        table=(
            Access((GET,), (MEMBERS, POLICIES)),
            Access((GET, PUT), (JOURNEYS, ADDRESSES, CONTACT_POLICIES)),
        ),
        signs_links=True,
    ),
    Function(
        "clients",
        "Tills, shops, operators, auditors and their keys",
        Http(),
        table=(Access((QUERY, GET, PUT), (CLIENTS,)),),
    ),
    Function(
        "program",
        "The programme's policy, clock and nights",
        Http(),
        table=(Access((GET, PUT), (POLICIES,)), Access((QUERY,), (NIGHTS,)), Access((PUT,), (NIGHT_PROGRAMS,))),
    ),
    Function(
        "rules",
        "Rule sets: checked, tried, put in force",
        Http(),
        memory_mb=1769,  # a whole CPU: a large rule set takes seconds to check and compile
        timeout_s=28,
        table=(
            Access((QUERY, GET, PUT), (RULES,)),
            Access((GET, PUT), (BUDGETS,)),
            Access((GET,), (BACKTESTS, POLICIES, SEGMENTS)),
        ),
        seals_rules=True,
    ),
    Function(
        "simulate",
        "Trying rule sets on stored purchases",
        Http(),
        memory_mb=1769,  # as rules: it checks the rule set that it tries
        timeout_s=28,
        table=(
            Access((QUERY, PUT), (BACKTEST_PARTS,)),
            Access((GET, PUT), (BACKTESTS,)),
            _RULES,
            Access((GET,), (POLICIES,)),
        ),
        sends_to=("replay",),
    ),
    Function(
        "replay",
        "Stored purchases under a rule set that is tried, page by page",
        # A page has up to 200 wallets, or 5,000 entries and the last account's; one takes a few seconds.
        FromQueue("replay", batch_size=1, max_concurrency=16),
        memory_mb=1769,
        timeout_s=60,
        table=(
            Access((QUERY, GET, PUT), (BACKTEST_PARTS,)),
            Access((GET, PUT), (BACKTESTS,)),
            Access((QUERY,), (CHAINS, HEADS)),
            Access((BATCH_GET,), (ORDERS, MEMBERS)),
            Access((GET,), (POLICIES,)),
        ),
        sends_to=("replay",),
    ),
    Function(
        "segments",
        "Segments: handed in, counted, listed",
        Http(),
        memory_mb=1769,  # as rules: conditions are checked as rules are
        timeout_s=28,
        table=(
            Access((QUERY, GET, PUT), (SEGMENTS,)),
            Access((QUERY,), (SEGMENT_MEMBERS,)),
            Access((QUERY, GET), (CAMPAIGN_PARTS,)),
            Access((GET,), (POLICIES,)),
        ),
    ),
    Function(
        "segment_members",
        "Who is in which segment, after whatever happened",
        # No more at once: members who enter the same segment are counted in one of sixteen items.
        FromQueue("segment_members", batch_size=10, max_concurrency=10),
        memory_mb=1024,
        timeout_s=60,
        table=(
            *_STANDING,
            Access((QUERY,), (CHAINS,)),
            Access((QUERY, GET), (MEMBERS,)),
            Access((GET,), (POLICIES,)),
        ),
    ),
    Function(
        "segment_review",
        "Who is in which segment, after time has passed",
        FromNight(("segment",)),
        memory_mb=512,
        timeout_s=120,
        table=(
            *_STANDING,
            Access((QUERY,), (CHAINS, TIMERS)),
            Access((PUT,), (NIGHTS,)),
            Access((GET,), (MEMBERS, POLICIES)),
        ),
    ),
    Function(
        "notify",
        "Messages to members, each sent at most once",
        # Ten messages one after the other, of ten seconds each where a provider is slow.
        FromQueue("notify", batch_size=10, max_concurrency=20),
        memory_mb=512,
        timeout_s=120,
        table=(
            *_NOTICES,
            Access((GET, PUT, DELETE), (OUTGOING,)),
            Access((GET,), (ADDRESSES, CAMPAIGNS)),
            Access((GET, PUT), (CHANNEL_TOKENS,)),
            Access((QUERY,), (HEARD,)),
        ),
        signs_links=True,
        sends_messages=True,
        knows_its_address=True,
    ),
    Function(
        "dispatch",
        "Messages whose time has come, onto the queue",
        Scheduled("rate(5 minutes)"),
        memory_mb=512,
        timeout_s=300,
        table=(
            Access((QUERY, GET, PUT), (OUTGOING,)),
            Access((QUERY,), (NIGHT_PROGRAMS,)),
            Access((GET,), (POLICIES,)),
        ),
        sends_to=("notify",),
    ),
    Function(
        "delivery",
        "What comes back of messages",
        FromQueue(REPORTS, batch_size=10, max_concurrency=5),
        memory_mb=512,
        timeout_s=60,
        table=(*_NOTICES, Access((PUT,), (HEARD,))),
    ),
    Function(
        "inbox",
        "Messages: read, followed, tried anew",
        Http(),
        table=(
            *_NOTICES,
            Access((QUERY,), (JOURNEYS,)),
            Access((QUERY, GET, PUT, DELETE), (OUTGOING,)),
            Access((GET,), (MEMBERS,)),
        ),
        signs_links=True,
        sends_to=("notify",),
        knows_its_address=True,
    ),
    Function(
        "webhooks",
        "Partners' webhooks: list, make, change, send anew",
        Http(),
        table=(
            Access((QUERY, GET, PUT, DELETE), (WEBHOOKS,)),
            Access((QUERY, GET, PUT), (WEBHOOK_LINES,)),
        ),
        sends_to=("partners",),
    ),
    Function(
        "webhook_fan",
        "What happened, for the partners who want to hear of it",
        FromQueue("webhook", batch_size=10, max_concurrency=20, events=EVERY),
        timeout_s=30,
        table=(Access((QUERY,), (WEBHOOKS,)), Access((PUT,), (WEBHOOK_LINES,))),
        sends_to=("partners",),
    ),
    Function(
        "webhook_deliver",
        "What is due to partners, sent",
        # A run ends itself after forty seconds, and a request that it is at after ten more.
        FromQueue("partners", batch_size=1, max_concurrency=20),
        timeout_s=60,
        table=(Access((GET, PUT), (WEBHOOKS,)), Access((QUERY, GET, PUT, DELETE), (WEBHOOK_LINES,))),
        sends_to=("partners",),
    ),
    Function("submit", "Batches of tills that were offline, onto the ingest queue", Http(), sends_to=("ingest",)),
    Function(
        "docs",
        "The page that shows this API",
        Http(),
        memory_mb=256,
        timeout_s=10,
        third_party=False,
        files=(
            "docs/openapi.json",
            f"{_SWAGGER}/swagger-ui-bundle.js",
            f"{_SWAGGER}/swagger-ui.css",
            f"{_SWAGGER}/favicon-32x32.png",
            f"{_SWAGGER}/LICENSE",
            f"{_SWAGGER}/NOTICE",
        ),
    ),
    Function(
        "ingest",
        "Purchases and returns from the queue, many at a time",
        # A message holds up to 100 items of some 30 ms each: five take 15 s, and eight times that may pass.
        FromQueue("ingest", batch_size=5, max_concurrency=20),
        memory_mb=1024,
        timeout_s=120,
        table=(_LEDGER, _ACCOUNT, _ALERT, _RULES, _IN_SEGMENTS, _FIND, _LEASE, Access((GET, PUT, DELETE), (ORDERS,))),
        finds_members=True,
        gives_up_to_dead_letters=True,
        seals_rules=True,
    ),
    Function(
        "recover",
        "Purchases whose entry is missing, returns that waited for their purchase",
        # Late on purpose: by then the entry of almost every order is there, and one look is enough.
        FromQueue("recover", batch_size=10, max_concurrency=20, delay_s=5),
        memory_mb=512,
        timeout_s=60,
        table=(_LEDGER, _ACCOUNT, _ALERT, _RULES, Access((QUERY, GET, PUT, DELETE), (ORDERS,))),
        gives_up_to_dead_letters=True,
        seals_rules=True,
    ),
    Function(
        "publish",
        "New entries and members to the event bus, heads of chains beside them",
        FromStream(
            (
                keys.type_entry,
                keys.type_member,
                keys.type_audience,
                keys.type_message,
                keys.type_budget,
                keys.type_told,
            ),
            batch_size=100,
            window_s=0,
            retries=20,
            changed=(keys.type_member, keys.type_message, keys.type_budget),
        ),
        memory_mb=512,
        timeout_s=60,
        table=(Access((PUT,), (HEADS,)),),
        publishes=True,
    ),
    Function(
        "arm",
        "Timers that new entries name",
        FromQueue("arm", batch_size=10, max_concurrency=20),
        memory_mb=512,
        timeout_s=60,
        table=(Access((PUT,), (TIMERS, NIGHT_PROGRAMS)), Access((GET,), (POLICIES,))),
    ),
    Function(
        "relay",
        "What happened in the table, onto the queues of who needs it",
        # A second together: the order and the entry of a purchase are one message to who looks at the member.
        FromStream(NEW, batch_size=100, window_s=1, retries=20, changed=CHANGED),
        memory_mb=512,
        timeout_s=60,
        sends_to=tuple(TAKES),
    ),
    Function(
        "plan_night",
        "What a night has to do next",
        FromNight(),
        memory_mb=512,
        timeout_s=300,  # after days that were missed it looks at every shard of every kind of each
        table=(
            Access((QUERY,), (TIMERS, HEADS, NIGHT_PROGRAMS)),
            Access((QUERY, GET, PUT), (NIGHTS,)),
            Access((GET,), (CHURN, POLICIES, CONTACT_POLICIES)),
        ),
    ),
    Function(
        "churn",
        "What to expect of members",
        Http(),
        table=(Access((QUERY,), (CHAINS,)), Access((GET,), (CHURN, POLICIES))),
    ),
    Function(
        "churn_alert",
        "Members who are thought to be leaving",
        FromNight(("churn",)),
        memory_mb=512,
        timeout_s=120,  # as expire_points
        table=(_LEDGER, Access((GET,), (CHURN, POLICIES)), *_DUE),
    ),
    Function(
        "churn_fit",
        "The churn models' parameters, fitted on how members bought",
        Scheduled("cron(0 3 ? * MON *)"),
        memory_mb=1769,  # a whole CPU: thousands of chains are read, and the search takes seconds
        timeout_s=900,
        table=(
            Access((QUERY,), (CHAINS, HEADS, NIGHT_PROGRAMS)),
            Access((GET, PUT), (CHURN,)),
            Access((GET,), (POLICIES,)),
        ),
        science=True,
    ),
    Function(
        "expire_points",
        "What has lapsed, begun, expired, is about to, or shrinks",
        FromNight(("rearm", "lapse", "activate", "expiry", "decay", "reminder")),
        memory_mb=512,
        timeout_s=120,  # a hundred accounts, one after the other, of some 20 ms each
        table=(_LEDGER, _RULES, Access((GET,), (CHURN, POLICIES)), *_DUE, Access((QUERY,), (HEADS,))),
        seals_rules=True,
    ),
    Function(
        "tier_eval",
        "Tiers that are lost by time, or about to be",
        FromNight(("tier",)),
        memory_mb=512,
        timeout_s=120,  # as expire_points
        table=(_LEDGER, Access((GET,), (CHURN, POLICIES)), *_DUE),
    ),
    Function(
        "campaigns",
        "Campaigns: handed in, started, paused, looked at",
        Http(),
        memory_mb=1769,  # as rules: campaigns and their texts are checked as rules are
        timeout_s=28,
        table=(
            Access((BATCH_GET,), (CHAINS, HEADS, MEMBERS, PROFILES, JOURNEYS)),
            Access((QUERY,), (CHAINS, SEGMENTS)),
            Access((GET,), (POLICIES, CONTACT_POLICIES, CHURN)),
            Access((QUERY, GET, PUT), (CAMPAIGNS, CAMPAIGN_PARTS)),
            Access((DELETE,), (CAMPAIGN_PARTS,)),
            Access((GET, PUT), (BUDGETS,)),
            Access((QUERY,), (JOURNEYS,)),
            Access((QUERY,), (MEMBERS, PARTICIPANTS, SEGMENT_MEMBERS, CONTACT_POLICIES)),
            Access((GET,), (SEGMENTS,)),
        ),
        runs_campaigns=True,
    ),
    Function(
        "campaign_plan",
        "What a campaign's run has to do next",
        FromCampaign("plan"),
        timeout_s=60,
        table=(
            _CAMPAIGN,
            Access((PUT,), (CAMPAIGNS, CAMPAIGN_PARTS)),
            Access((DELETE,), (CAMPAIGN_PARTS,)),
            Access((QUERY,), (CAMPAIGN_PARTS, MEMBERS, SEGMENT_MEMBERS, PARTICIPANTS)),
            Access((GET,), (POLICIES,)),
        ),
        runs_campaigns=True,
    ),
    Function(
        "campaign_assign",
        "Who takes part in a campaign, and in which group",
        FromCampaign("assign"),
        timeout_s=60,
        table=(
            *_ASSIGNS,
            _CAMPAIGN,
            Access((QUERY,), (CAMPAIGN_PARTS, MEMBERS, SEGMENT_MEMBERS)),
            Access((PUT,), (CAMPAIGN_PARTS,)),
        ),
    ),
    Function(
        "campaign_touch",
        "Members told what is due on their ways through campaigns",
        FromNight(("occasion", "campaign")),
        memory_mb=1024,
        timeout_s=120,  # a hundred members, one after the other, of some 50 ms each
        table=(
            *_TELLS,
            Access((QUERY,), (TIMERS,)),
            Access((PUT,), (NIGHTS, CAMPAIGN_PARTS)),
        ),
        sends_to=("notify",),
    ),
    Function(
        "campaign_enter",
        "Members taken into campaigns by what happened to them",
        FromQueue(
            "campaign_entry",
            batch_size=10,
            max_concurrency=20,
            events=(
                "member.enrolled",
                "member.changed",
                "churn.risk_detected",
                "tier.upgraded",
                "tier.downgrade_warned",
                "points.expiring",
                "segment.entered",
                "points.earned",
                "points.pending",
            ),
        ),
        memory_mb=1024,
        timeout_s=60,
        table=(*_TELLS, Access((GET,), (ORDERS,))),
        sends_to=("notify",),
    ),
    Function(
        "campaign_due",
        "Campaigns begun when their day comes, and those that wait called back",
        Scheduled("cron(5 * * * ? *)"),
        timeout_s=300,  # one look at every campaign of every programme
        table=(
            _CAMPAIGN,
            Access((QUERY, PUT), (CAMPAIGNS, CAMPAIGN_PARTS)),
            Access((DELETE,), (CAMPAIGN_PARTS,)),
            Access((QUERY,), (NIGHT_PROGRAMS,)),
            Access((GET,), (POLICIES,)),
        ),
        runs_campaigns=True,
    ),
    Function(
        "campaign_measure",
        "What the participants of a campaign did within their windows",
        FromCampaign("measure"),
        timeout_s=120,  # a hundred members, and what each bought
        table=(
            _CAMPAIGN,
            Access((PUT,), (CAMPAIGN_PARTS,)),
            Access((QUERY,), (PARTICIPANTS, CHAINS)),
            Access((GET,), (POLICIES,)),
            Access((BATCH_GET,), (JOURNEYS,)),
        ),
    ),
    Function(
        "campaign_finish",
        "What a campaign caused, against those who were kept out",
        FromCampaign("finish"),
        memory_mb=1769,  # a whole CPU: SciPy is loaded
        timeout_s=120,
        table=(
            _CAMPAIGN,
            Access((QUERY,), (CAMPAIGN_PARTS,)),
            Access((PUT,), (CAMPAIGNS, CAMPAIGN_PARTS)),
            Access((DELETE,), (CAMPAIGN_PARTS,)),
            Access((GET,), (POLICIES,)),
            Access((GET, PUT), (CONTACT_POLICIES,)),
            _RULES,
        ),
        seals_rules=True,
        science=True,
    ),
)
