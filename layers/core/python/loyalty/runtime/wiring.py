"""Use cases put together from their parts, once per running copy of a function, when first used.

What every till's request needs is imported at the top; members, clients and late batches only where they are asked
for, so a function that has no use for them does not pay for them at its start.
"""

import time
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Final

from loyalty.earning.rulebook import Rulebook
from loyalty.earning.service import Earning
from loyalty.earning.store import OrderStore
from loyalty.errors import NotFound
from loyalty.ids import located
from loyalty.ledger.account import Draft, State
from loyalty.ledger.chain import Chain, Entry, fingerprint
from loyalty.ledger.service import Ledger
from loyalty.ledger.store import HeadStore, LedgerStore
from loyalty.ledger.wallet import Wallets
from loyalty.programs.store import ProgramStore
from loyalty.programs.terms import Program
from loyalty.runtime import observability, outbound
from loyalty.runtime.clock import moment as moment
from loyalty.runtime.config import config
from loyalty.runtime.table import table as table
from loyalty.table import keys
from loyalty.timers.ends import activate_due, decay_due, expiry_due, lapse_due, reminder_due
from loyalty.timers.timer import Due, armed, brings

if TYPE_CHECKING:
    from loyalty.backtests.service import Backtests
    from loyalty.churn.refit import Refit
    from loyalty.churn.service import Churn
    from loyalty.clients.service import Clients
    from loyalty.contacts.policy import ContactPolicy
    from loyalty.contacts.service import Contacts
    from loyalty.earning.granting import Offers
    from loyalty.earning.intake import Intake
    from loyalty.explanations.service import Explanations
    from loyalty.members.member import Member
    from loyalty.members.service import Members
    from loyalty.members.store import MemberStore
    from loyalty.members.tokens import Tokens
    from loyalty.notifications.message import Handed
    from loyalty.notifications.service import Dispatch, Notifications
    from loyalty.notifications.store import MessageStore
    from loyalty.rules.evaluation import Loaded
    from loyalty.rules.leases import Leases
    from loyalty.rules.ruleset import RuleSet
    from loyalty.rules.service import RuleSets
    from loyalty.runtime.messages import Mail
    from loyalty.runtime.relay import Relay
    from loyalty.runtime.rules import Loader
    from loyalty.segments.service import Audiences
    from loyalty.tiers.service import Tiers
    from loyalty.timers.service import Arming, Drain, Night
    from loyalty.timers.store import TimerStore
    from loyalty.webhooks.service import Deliverer, Fan, Webhooks

POLICY_SECONDS: Final = 60
"""How long a running copy goes by the policy it has read."""

_policies: dict[str, tuple[float, Program]] = {}
_contact_policies: "dict[str, tuple[float, ContactPolicy]]" = {}


@cache
def ledger() -> Ledger:
    def admits(chain: Chain) -> str:
        from loyalty.members.service import admission

        return admission(member_store(), policy)(chain)

    return Ledger(LedgerStore(table()), admits, arms, follows)


def follows(chain: Chain, before: State, draft: Draft) -> None:
    """What an entry makes of the member's tier. Without tier and figures there is nothing that it could."""
    if draft.state.total != before.total or before.tier or not before.number:
        program = policy(chain.program)
        if program.tiers is not None:
            from loyalty.tiers.standing import follow

            follow(program, before, draft)


def tier_due(state: State, program: Program) -> int | None:
    """The day on which a tier is to be looked at."""
    if program.tiers is None:
        return None
    from loyalty.tiers.standing import due

    return due(state, program)


def arms(program: str, before: State, after: State) -> dict[str, int]:
    """The timers that an entry arms."""
    return armed(dues(), policy(program), before, after) if brings(before, after) else {}


@cache
def dues() -> dict[str, Due]:
    """When an account is to be looked at next, by kind of what may be due."""
    return {
        "lapse": lapse_due,
        "activate": activate_due,
        "churn": _churn_due,
        "expiry": expiry_due,
        "decay": decay_due,
        "reminder": reminder_due,
        "tier": tier_due,
    }


def _churn_due(state: State, program: Program) -> int | None:
    return churn().due(state, program) if program.churn is not None else None


@cache
def wallets() -> Wallets:
    return Wallets(ledger())


@cache
def programs() -> ProgramStore:
    return ProgramStore(table())


@cache
def earning() -> Earning:
    def in_force(program: str) -> "Loaded | None":
        return rules_in_force().current(program)

    def of_version(program: str, version: int) -> "Loaded":
        return rules_in_force().of_version(program, version)

    def member(program: str, account: str) -> "Member | None":
        return _standing(program, account) if _segments_matter(program) else member_store().get(program, account)

    def failed(program: str, rule: str, reason: str) -> None:
        del reason  # it may quote what was bought
        observability.count("RuleFailures", now_ms=int(time.time() * 1000), program=program, rule=rule)

    book = Rulebook(rules=in_force, rules_of=of_version, members=member, budgets=leases, report=failed)
    return Earning(ledger(), OrderStore(table()), _policy_and_rules, book)


@cache
def offers() -> "Offers":
    from loyalty.earning.granting import Offers

    return Offers(ledger(), policy, Rulebook(budgets=leases))


def _segments_matter(program: str) -> bool:
    """Whether the rules in force ask for a member's segments."""
    from loyalty.rules.facts import reader

    loaded = rules_in_force().current(program)
    return loaded is not None and "member.segments" in reader(loaded.evaluator.rules).spoken


def _standing(program: str, account: str) -> "Member | None":
    """A member with the segments set by hand and those of conditions, both read at the same time."""
    from msgspec.structs import replace

    from loyalty.segments.store import SegmentStore

    member, profile = table().together(
        lambda: member_store().get(program, account), lambda: SegmentStore(table()).profile(program, account)
    )
    if member is None or not profile.standing:
        return member
    return replace(member, segments=tuple(sorted({*member.segments, *profile.standing})))


def _policy_and_rules(program: str) -> Program:
    """The policy; a copy that has read none reads what is in force of the rules at the same time."""
    if program not in _policies:
        table().together(lambda: policy(program), lambda: rules_in_force().current(program))
    return policy(program)


@cache
def leases() -> "Leases":
    from loyalty.rules.leases import BudgetStore, Leases

    def dry(program: str, campaign: str) -> None:
        observability.count("BudgetExhausted", now_ms=int(time.time() * 1000), program=program, campaign=campaign)

    return Leases(BudgetStore(table()), dry)


@cache
def intake() -> "Intake":
    from loyalty.earning.intake import Intake

    return Intake(earning(), OrderStore(table()), account_of)


@cache
def relay() -> "Relay":
    from loyalty.runtime.relay import Relay

    queues = {
        "recover": config().recover_queue,
        "arm": config().arm_queue,
        "segment_members": config().segment_members_queue,
    }

    def put(name: str, bodies: Sequence[str]) -> int:
        return outbound.send_all(queues[name], bodies)

    return Relay(put)


@cache
def timers() -> "TimerStore":
    from loyalty.timers.store import TimerStore

    return TimerStore(table())


@cache
def arming() -> "Arming":
    from loyalty.timers.service import Arming

    return Arming(timers(), policy, moment)


@cache
def night() -> "Night":
    from json import loads

    from loyalty.timers.service import Night

    return Night(timers(), policy, loads(config().night_functions), timed_terms, contact_hour)


def worth(program: str, points: int) -> int | None:
    """What points come to by the point cost of the rule set in force, in minor units, rounded down; None where there is
    none, or it names no cost.
    """
    loaded = rules_in_force().current(program)
    num, den = loaded.evaluator.rules.point_cost if loaded is not None else (0, 1)
    return points * num // den if num else None


def timed_terms(program: Program) -> str:
    """Digest of all that says when something is due; where it changes, every account is looked at once."""
    now = moment(program.program, int(time.time())) if program.churn is not None else 0
    parameters = churn().version(program.program, now) if program.churn is not None else 0
    followed = (program.timezone, program.reminders, program.decay, program.churn, parameters, sorted(dues()))
    promised = (True,) if program.notice_of_decay else ()
    return fingerprint(*followed, repr(program.tiers), *promised)


@cache
def drain() -> "Drain":
    from loyalty.timers.service import Drain

    def tell(program: str, kind: str, why: str) -> None:
        observability.count("TimersSetAside", now_ms=int(time.time() * 1000), program=program, kind=kind, reason=why)

    return Drain(ledger(), timers(), policy, dues(), tell)


@cache
def heads() -> HeadStore:
    return HeadStore(table())


@cache
def member_store() -> "MemberStore":
    from loyalty.members.store import MemberStore

    return MemberStore(table())


@cache
def members() -> "Members":
    from loyalty.members.service import Members
    from loyalty.runtime import secrets

    return Members(member_store(), ledger(), secrets.identity_secret, policy)


@cache
def tiers() -> "Tiers":
    from loyalty.tiers.service import Tiers
    from loyalty.tiers.store import AccountStore

    return Tiers(ledger(), AccountStore(table()), policy)


@cache
def contacts() -> "Contacts":
    from loyalty.contacts.service import Contacts
    from loyalty.contacts.store import ContactStore
    from loyalty.runtime import secrets

    def known(program: str, account: str) -> bool:
        return member_store().get(program, account) is not None

    return Contacts(
        ContactStore(table()),
        known,
        contact_policy,
        lambda: secrets.link_keys(),
        lambda: secrets.newer_link_keys(),
    )


def contact_policy(program: str) -> "ContactPolicy":
    """A programme's contact policy, at most ``POLICY_SECONDS`` old."""
    from loyalty.contacts.store import ContactStore

    moment = time.monotonic()
    known = _contact_policies.get(program)
    if known is None or moment - known[0] > POLICY_SECONDS:
        known = (moment, ContactStore(table()).policy(program))
        _contact_policies[program] = known
    return known[1]


def contact_hour(program: str) -> int:
    """The hour of the programme's day from which members are told anything."""
    return contact_policy(program).contact_hour


@cache
def clients() -> "Clients":
    from loyalty.clients.service import Clients
    from loyalty.clients.store import ClientStore

    return Clients(ClientStore(table()))


@cache
def audiences() -> "Audiences":
    from loyalty.segments.service import Audiences, Sources
    from loyalty.segments.store import SegmentStore
    from loyalty.timers.timer import Timer

    def arm(chain: Chain, kind: str, day: int) -> None:
        timers().put(Timer(chain, kind, day))

    def alive(state: State, program: str, day: int) -> float | None:
        from loyalty.churn.alert import outlook

        return outlook(state, churn().parameters(program), day, 1).alive

    return Audiences(
        SegmentStore(table()),
        Sources(ledger().store.head, member_store().get, member_store().page, policy, arm, alive),
    )


@cache
def message_store() -> "MessageStore":
    from loyalty.notifications.store import MessageStore

    return MessageStore(table())


@cache
def notifications() -> "Notifications":
    from loyalty.notifications.service import Notifications

    return Notifications(message_store(), mail().ports())


@cache
def mail() -> "Mail":
    from loyalty.runtime.messages import Mail

    return Mail(contacts(), ledger(), policy, campaign_state, message_store().reports_came)


def campaign_state(program: str, campaign: str) -> str:
    """The state of a campaign as it stands in the table; "" where there is none."""
    item = table().get(keys.campaign(program, campaign), consistent=False)
    return "" if item is None else str(item["state"])


@cache
def dispatch() -> "Dispatch":
    from loyalty.notifications.service import Dispatch
    from loyalty.runtime.messages import put_on_queue

    return Dispatch(message_store(), put_on_queue)


def hand_on(due: "list[Handed]") -> int:
    """Put messages that are due on the queue at once; how many it took. Those that it did not are found later."""
    from loyalty.notifications.service import hand_on
    from loyalty.runtime.messages import put_on_queue

    return hand_on(put_on_queue, due)


@cache
def webhooks() -> "Webhooks":
    from loyalty.webhooks.service import Webhooks
    from loyalty.webhooks.store import WebhookStore

    return Webhooks(WebhookStore(table()), wake_line)


@cache
def webhook_fan() -> "Fan":
    from loyalty.webhooks.service import Fan
    from loyalty.webhooks.store import WebhookStore

    return Fan(WebhookStore(table()), wake_line)


@cache
def webhook_deliverer() -> "Deliverer":
    from loyalty.runtime.senders import http
    from loyalty.webhooks.service import Deliverer
    from loyalty.webhooks.store import WebhookStore

    return Deliverer(WebhookStore(table()), http(), wake_line, lambda: int(time.time()))


def wake_line(line: str, seconds: int) -> None:
    """Have a webhook's line looked at in so many seconds. Unavailable."""
    from loyalty.runtime.outbound import send

    send(config().partners_queue, {"line": line}, delay=seconds)


@cache
def tokens() -> "Tokens":
    from loyalty.members.tokens import Tokens
    from loyalty.runtime import secrets

    return Tokens(secrets.signing_secrets, secrets.newer_signing_secrets)


@cache
def rules_in_force() -> "Loader":
    """Rule sets as the functions that earn go by them."""
    from loyalty.rules.store import RuleStore
    from loyalty.runtime.rules import Loader

    def keys() -> tuple[bytes, ...]:
        from loyalty.runtime import secrets  # only where a rule set is in force

        return secrets.artifact_keys()

    return Loader(RuleStore(table()), keys)


@cache
def explanations() -> "Explanations":
    from loyalty.explanations.service import Explanations

    return Explanations(
        wallets().entry,
        earning().standing,
        lambda program, version: rules_in_force().of_version(program, version),
    )


@cache
def rule_sets() -> "RuleSets":
    from loyalty.backtests.store import BacktestStore
    from loyalty.rules.leases import BudgetStore
    from loyalty.rules.service import RuleSets
    from loyalty.rules.store import RuleStore
    from loyalty.runtime import secrets

    def segments(program: str) -> list[str]:
        from loyalty.segments.store import SegmentStore

        there, _ = SegmentStore(table()).segments(program)
        return [one.id for one in there.segments] if there else []

    latest = BacktestStore(table()).latest
    return RuleSets(RuleStore(table()), secrets.artifact_keys, policy, BudgetStore(table()), latest, segments)


@cache
def backtests() -> "Backtests":
    from loyalty.backtests.service import Backtests
    from loyalty.backtests.store import BacktestStore
    from loyalty.rules.compiler import compiled
    from loyalty.runtime.outbound import send

    def rules_of(program: str, name: str) -> "tuple[str, RuleSet]":
        return rule_sets().named(program, name).id, rule_sets().checked(program, name)

    def ask(message: dict[str, object]) -> None:
        send(config().replay_queue, message)

    return Backtests(BacktestStore(table()), ledger(), policy, rules_of, compiled, ask)


@cache
def churn() -> "Churn":
    from loyalty.churn.service import Churn
    from loyalty.churn.store import ChurnStore

    return Churn(ChurnStore(table()), ledger, time.monotonic)


@cache
def refit() -> "Refit":
    from loyalty.churn.refit import Refit
    from loyalty.churn.store import ChurnStore

    return Refit(ChurnStore(table()), ledger(), policy)


def watched() -> list[str]:
    """Programmes whose members are watched: all that have nights, and a policy that says so."""
    found = []
    for program, _ in timers().programs():
        with suppress(NotFound):
            if policy(program).churn is not None:
                found.append(program)
    return found


def policy(program: str) -> Program:
    """A programme's policy, at most ``POLICY_SECONDS`` old."""
    moment = time.monotonic()
    known = _policies.get(program)
    if known is None or moment - known[0] > POLICY_SECONDS:
        known = (moment, programs().load(program))
        _policies[program] = known
    return known[1]


def account_of(program: str, member: str | None, identity: str | None) -> str:
    """The account a request names, by id or by identity; MEMBER_NOT_FOUND. An identity costs one more round trip."""
    if member is not None:
        return member
    return members().resolve(program, identity or "")


def allowance_of(entry: Entry, settle_minutes: int) -> str:
    """The signed allowance of an offline hold, made from its entry alone, so a replay gives the same one."""
    chain, deadline = entry.chain, int(entry.detail["deadline"])
    return tokens().issue_allowance(
        program=chain.program,
        client=entry.actor,
        hold_id=located("hld", chain.account, chain.wallet, entry.number),
        points=int(entry.detail["points"]),
        spend_until=deadline - 60 * settle_minutes,
        settle_until=deadline,
        now=entry.recorded,
    )
