"""One decision over all that a member could be told at one moment. Pure: the same arguments give the same answer, so
what a preview says is what happens.

The highest priority is seen to first, and what follows has to make do with what it leaves. So nothing goes out in
place of something higher that could have gone.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from msgspec import Struct

from loyalty.contacts.policy import NO_GUARD, ContactPolicy, minutes
from loyalty.contacts.preferences import Preferences
from loyalty.contacts.record import LeftOut, Offered, Record, Sent, content

INBOX: Final = "inbox"
REASONS: Final = {
    "no_channel": "the campaign names no channel",
    "no_address": "there is no address for any of its channels",
    "dead": "none of its channels reaches the member any more",
    "no_consent": "the member has not agreed to any of its channels",
    "repeated": "the member was told just this before",
    "cap": "the member was told enough of late",
    "cap_channel": "the member was told enough of late on its channels",
    "cap_own": "the member wants no more a week",
    "offer_guard": "the member was offered enough of late",
    "too_late": "it could go only after it has lost its sense",
}
"""Why something is not sent; there are no other reasons."""
_LATER: Final = ("cap_own", "cap", "cap_channel", "no_consent", "dead", "no_address")
"""Of several channels' reasons, the one that is told: the one that came closest to sending."""
_SPAN: Final = range(-2, 4)


class Candidate(Struct, frozen=True):
    """A message that a campaign's step would send. ``channels`` are in the order in which the campaign would rather
    have them; with ``inbox`` among them a copy lies there, too. ``digest`` names the content: template, offer, and the
    variables that are no dates. ``service`` messages are no advertising. ``offer_points`` is what the message's offer
    gives, ``offer_times`` what it multiplies by beyond once (thousandths), summed over its days. It goes not before
    ``not_before`` and not from ``until`` on (seconds since 1970, UTC; 0: no matter). ``silent`` offers are given to
    those, too, who cannot be told.
    """

    campaign: str
    occasion: str
    step: str
    priority: int
    channels: tuple[str, ...]
    digest: str
    service: bool = False
    offer_points: int = 0
    offer_times: int = 0
    not_before: int = 0
    until: int = 0
    silent: bool = False


class Verdict(Struct, frozen=True):
    """What becomes of a candidate: it goes on ``channel`` at ``send_at`` (seconds since 1970, UTC), with a copy in the
    ``inbox``; or it is ``blocked`` for one of ``REASONS``, with channel "" and send_at 0. ``offer`` says whether the
    step's offer is given.
    """

    candidate: Candidate
    channel: str
    send_at: int
    blocked: str
    offer: bool
    inbox: bool = False


def decide(
    candidates: Iterable[Candidate],
    record: Record,
    preferences: Preferences,
    policy: ContactPolicy,
    timezone: str,
    now: int,
) -> tuple[tuple[Verdict, ...], Record]:
    """A verdict for each candidate, the highest priority first, and the record with what goes. ``timezone`` is the
    programme's, for members who have none of their own.
    """
    zone = ZoneInfo(preferences.timezone or timezone)
    today = _day(now, zone)
    after = record.by(today)
    verdicts = []
    for candidate in sorted(candidates, key=_rank):
        send_at = loud(max(now, candidate.not_before), preferences, policy, timezone)
        verdict, after = _one(candidate, after, preferences, policy, send_at, _Days(today, _day(send_at, zone)))
        if verdict.blocked:
            named = LeftOut(today, candidate.campaign, candidate.occasion, candidate.step, verdict.blocked)
            after = after.without(named)
        verdicts.append(verdict)
    return tuple(verdicts), after


def _rank(candidate: Candidate) -> tuple[object, ...]:
    """The same order whatever order they come in."""
    one = candidate
    return (-one.priority, one.campaign, one.occasion, one.step, one.digest, one.channels, one.service,
            one.offer_points, one.offer_times, one.not_before, one.until, one.silent)  # fmt: skip


class _Days(NamedTuple):
    """By the member's calendar: the day on which an offer is given, and that on which the message goes."""

    today: int
    sent: int


def _one(
    candidate: Candidate, record: Record, preferences: Preferences, policy: ContactPolicy, send_at: int, days: _Days
) -> tuple[Verdict, Record]:
    guard = policy.offer_guard
    depth = (guard or NO_GUARD).depth(candidate.offer_points, candidate.offer_times)
    deep = (
        depth > 0
        and guard is not None
        and not candidate.service
        and record.offered(days.today, guard.days) + depth > guard.points
    )
    named = _content(candidate)
    channel, reason = _channel(candidate, record, preferences, policy, days.sent)
    if reason == "" and record.knows(named):
        reason = "repeated"
    if reason == "" and deep:
        reason = "offer_guard"
    if reason == "" and candidate.until and send_at >= candidate.until:
        reason = "too_late"
    offer = not deep and (reason == "" or (candidate.silent and reason not in ("repeated", "too_late")))
    if offer and depth:
        record = record.with_offer(Offered(days.today, depth, candidate.campaign))
    if reason:
        return Verdict(candidate, "", 0, reason, offer), record
    sent = Sent(days.sent, channel, candidate.campaign, named)
    record = record.with_sent(sent, named, counted=not candidate.service)
    copied = INBOX in candidate.channels and not barred(INBOX, preferences, policy, service=candidate.service)
    return Verdict(candidate, channel, send_at, "", offer, copied), record


def _content(candidate: Candidate) -> str:
    """A service message is owed on each occasion, whether or not it reads as one before."""
    if candidate.service:
        return content(candidate.digest, candidate.campaign, candidate.occasion, candidate.step)
    return content(candidate.digest)


def _channel(
    candidate: Candidate, record: Record, preferences: Preferences, policy: ContactPolicy, day: int
) -> tuple[str, str]:
    """The channel that a message goes on, or why it goes on none."""
    if not candidate.channels:
        return "", "no_channel"
    own = [*preferences.order, *candidate.channels]
    named = sorted(set(candidate.channels), key=own.index)
    outside = [channel for channel in named if channel != INBOX]
    found = set()
    for channel in (*outside, *(one for one in named if one == INBOX)):
        reason = barred(channel, preferences, policy, service=candidate.service)
        if not reason and not candidate.service:
            reason = _capped(channel, record, preferences, policy, day)
        if not reason:
            return channel, ""
        found.add(reason)
    return "", next(reason for reason in _LATER if reason in found)


def barred(channel: str, preferences: Preferences, policy: ContactPolicy, *, service: bool) -> str:
    """Why nothing may leave for the member on a channel, whatever was sent before; "" when it may. Who sends asks once
    more, for hours may lie between.
    """
    if not preferences.reaches(channel):
        return "no_address"
    if channel in preferences.dead:
        return "dead"
    if not service and not policy.agreed(preferences.consents, channel):
        return "no_consent"
    return ""


def _capped(channel: str, record: Record, preferences: Preferences, policy: ContactPolicy, day: int) -> str:
    if preferences.per_week is not None and record.count("", day, 7) >= preferences.per_week:
        return "cap_own"
    for cap in policy.caps:
        if cap.channel in ("", channel) and record.count(cap.channel, day, cap.days) >= cap.count:
            return "cap_channel" if cap.channel else "cap"
    return ""


def _day(moment: int, zone: ZoneInfo) -> int:
    return datetime.fromtimestamp(moment, zone).toordinal()


def loud(moment: int, preferences: Preferences, policy: ContactPolicy, timezone: str) -> int:
    """The first moment from ``moment`` on at which it is not quiet where the member is, whatever the clocks there do.
    Who sends asks once more: what was to go in the evening may have been held up until night.
    """
    zone = ZoneInfo(preferences.timezone or timezone)
    quiet = preferences.quiet or (policy.quiet_from, policy.quiet_until)
    begins, ends = minutes(quiet[0]), minutes(quiet[1])
    if not _quiet(moment, zone, begins, ends):
        return moment
    today = datetime.fromtimestamp(moment, zone).date()
    hour, minute = divmod(ends, 60)
    found = [
        at
        for days in _SPAN
        for fold in (0, 1)
        if (at := _instant(today + timedelta(days=days), hour, minute, fold, zone)) > moment
        and not _quiet(at, zone, begins, ends)
    ]
    return min(found)


def _quiet(moment: int, zone: ZoneInfo, begins: int, ends: int) -> bool:
    local = datetime.fromtimestamp(moment, zone)
    at = local.hour * 60 + local.minute
    return begins <= at < ends if begins <= ends else at >= begins or at < ends


def _instant(day: date, hour: int, minute: int, fold: int, zone: ZoneInfo) -> int:
    local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone, fold=fold)
    return int(local.astimezone(UTC).timestamp())
