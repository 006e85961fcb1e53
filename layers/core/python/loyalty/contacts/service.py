"""Use cases of contact: what a member agreed to and where the member is reached, changed and asked for."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from loyalty.contacts import unsubscribe
from loyalty.contacts.addresses import normal
from loyalty.contacts.decide import barred, loud
from loyalty.contacts.policy import ContactPolicy
from loyalty.contacts.preferences import ADDRESSED, COMPLAINT, Addresses, Preferences
from loyalty.contacts.record import Record
from loyalty.contacts.store import ContactStore
from loyalty.contacts.unsubscribe import Link
from loyalty.errors import Conflict, NotFound
from loyalty.table.writes import Cancelled, ConditionFailed

TRIES: Final = 5
UNSUBSCRIBED: Final = "unsubscribe"


class Change(Struct, frozen=True):
    """What is to be different; what is UNSET stays. ``consents`` and ``addresses`` name those that change, an address
    None is forgotten.
    """

    consents: Mapping[str, bool] = {}
    addresses: Mapping[str, str | None] = {}
    timezone: str | UnsetType = UNSET
    language: str | UnsetType = UNSET
    order: tuple[str, ...] | UnsetType = UNSET
    quiet: tuple[str, str] | UnsetType | None = UNSET
    per_week: int | UnsetType | None = UNSET


class Contacts:
    """Contact of a deployment's programmes. ``known`` says whether there is a member, ``policy`` a programme's contact
    policy as last read; ``secrets`` are those that links are signed with, the current one first, ``newer`` the same
    looked up again.
    """

    def __init__(
        self,
        store: ContactStore,
        known: Callable[[str, str], bool],
        policy: Callable[[str], ContactPolicy],
        secrets: Callable[[], tuple[str, ...]],
        newer: Callable[[], tuple[str, ...]],
    ) -> None:
        self.store = store
        self._known = known
        self._policy = policy
        self._secrets = secrets
        self._newer = newer

    def look(self, program: str, account: str) -> tuple[Preferences, Addresses]:
        """What was agreed to, and where the member is reached; NotFound."""
        self._there(program, account)
        return self.store.of(program, account)

    def told(self, program: str, account: str) -> Record:
        """What the member was sent, and what was left out; NotFound."""
        self._there(program, account)
        return self.store.record(program, account)

    def change(
        self, program: str, account: str, change: Change, seen: int | None, by: str, now: int
    ) -> tuple[Preferences, Addresses]:
        """Preferences and addresses after a change. ``seen`` is the version that the caller has read, None for
        whichever there is. NotFound, Invalid; Conflict when another was first.
        """
        given = {kind: None if text is None else normal(kind, text) for kind, text in change.addresses.items()}
        self._there(program, account)
        for _ in range(TRIES):
            before, addresses = self.store.of(program, account)
            if seen is not None and seen != before.version:
                raise Conflict("CONTACT_VERSION_CONFLICT", "Read the contact again and send its ETag in If-Match")
            after, there = _changed(before, addresses, change, given, by, now)
            if (after, there) == (before, addresses):
                return before, addresses
            try:
                self.store.save(program, account, after, None if there == addresses else there)
            except (ConditionFailed, Cancelled):
                continue
            return replace(after, version=after.version + 1), there
        raise Conflict("ACCOUNT_BUSY", "Too many changes of this contact at once", retry_after=1)

    def unsubscribed(self, link: Link, now: int) -> None:
        """No more of what a link ends; again is the same. NotFound."""
        no_more = Change(consents=dict.fromkeys(link.channels, False))
        self.change(link.program, link.account, no_more, None, UNSUBSCRIBED, now)

    def dead(self, program: str, account: str, channel: str, reason: str, at: int, sent_by: int | None = None) -> None:
        """A channel reaches the member no more, until its address changes; again is the same. With ``complaint`` the
        member has said no, besides. ``sent_by`` is the version of the contact that the message went by which says so,
        ``at`` the moment (seconds since 1970): a later address, and a later consent, are left as they are.
        """
        for _ in range(TRIES):
            before = self.store.preferences(program, account)
            after = before.died(channel, reason, sent_by)
            if reason == COMPLAINT:
                after = after.complained(channel, at)
            if after == before:
                return
            try:
                self.store.save(program, account, after, None)
            except ConditionFailed:
                continue
            return
        raise Conflict("ACCOUNT_BUSY", "Too many changes of this contact at once", retry_after=1)

    def reach(
        self, program: str, account: str, channel: str, service: bool, now: int, timezone: str
    ) -> tuple[str, str, int, int]:
        """The address of a channel and "", or "" and why nothing may go there: one of the decision's reasons; the first
        moment from ``now`` on at which it is not quiet there; and the version of the contact that says so. As of this
        moment: who has unsubscribed since the decision is told nothing. ``timezone`` is the programme's.
        """
        preferences, addresses = self.store.of(program, account)
        why_not = barred(channel, preferences, self._policy(program), service=service)
        address = addresses.of(channel)
        if not why_not and channel in ADDRESSED and not address:
            why_not = "no_address"
        quiet_until = loud(now, preferences, self._policy(program), timezone)
        return "" if why_not else address, why_not, quiet_until, preferences.version

    def alive(self, program: str, account: str, channels: Iterable[str]) -> bool:
        """Whether any of these channels reaches the member, agreed to or not."""
        preferences = self.store.preferences(program, account)
        return any(preferences.reaches(channel) and channel not in preferences.dead for channel in channels)

    def unsubscribe_path(self, program: str, account: str, channel: str) -> str:
        """Path of the link that ends a channel, or with ``unsubscribe.ALL`` every one."""
        return unsubscribe.PATH + unsubscribe.token(self._secrets()[0], Link(program, account, channel))

    def link(self, token: str) -> Link | None:
        """What a token of ours says; None for any other."""
        known = self._secrets()
        found = unsubscribe.read(known, token)
        if found is None and (newer := self._newer()) != known:
            found = unsubscribe.read(newer, token)
        return found

    def _there(self, program: str, account: str) -> None:
        if not self._known(program, account):
            raise NotFound("MEMBER_NOT_FOUND", "There is no such member in this programme")


def _changed(
    before: Preferences, addresses: Addresses, change: Change, given: Mapping[str, str | None], by: str, now: int
) -> tuple[Preferences, Addresses]:
    there = replace(addresses, **{kind: value or "" for kind, value in given.items()})
    after = before.said(change.consents, now, by)
    if there != addresses:
        moved = [channel for channel in ADDRESSED if there.of(channel) != addresses.of(channel)]
        after = after.addressed(there.reached, moved)
    again = [channel for channel, kind in ADDRESSED.items() if given.get(kind)]
    after = after.revived(after.mistaken(again))
    said = {
        name: value
        for name in ("timezone", "language", "order", "quiet", "per_week")
        if (value := getattr(change, name)) is not UNSET
    }
    after = replace(after, **said)
    return after, there
