"""Use cases: enrol a member, recognise one, read, list and change members.

A member, its identities and its wallets come into being in one transaction, so nobody is half enrolled and an identity
is never two members'. Identities enter as ``kind:value`` and are kept as keyed digests alone.
"""

import re
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from loyalty.errors import Conflict, Invalid, NotFound, Refused
from loyalty.ids import is_account
from loyalty.ledger.chain import Chain, digest, fingerprint
from loyalty.ledger.service import Ledger, busy
from loyalty.members import identities, member
from loyalty.members.member import Change, Enrolment, Known, Member
from loyalty.members.store import MemberStore, claim_of, edited, enrolled, identity_given_up, identity_of
from loyalty.programs.terms import Program
from loyalty.table import keys
from loyalty.table.writes import Cancelled, Contended, Item

MAX_TRIES: Final = 5
_CURSOR: Final = re.compile(r"([0-9]{1,2})(?:\.(mem_[0-9A-Z]{26}))?", re.ASCII)


class Enrolled(Struct, frozen=True):
    """A member, and whether an earlier request with the same key enrolled it."""

    member: Member
    replayed: bool = False


def admission(store: MemberStore, policy: Callable[[str], Program]) -> Callable[[Chain], str]:
    """What the ledger asks about a wallet without entries: it is begun when the policy has the wallet and the member
    exists.
    """

    def admits(chain: Chain) -> str:
        found = store.get(chain.program, chain.account)
        if found is None:
            raise _unknown()
        wallets = policy(chain.program).wallets
        if chain.wallet not in wallets:
            raise NotFound("WALLET_NOT_FOUND", f"The programme has the wallets {', '.join(wallets)}")
        return found.kind

    return admits


class Members:
    """Member use cases on one table. ``identity_secret`` gives the key of the digests, ``policy`` a programme's
    policy.
    """

    def __init__(
        self,
        store: MemberStore,
        ledger: Ledger,
        identity_secret: Callable[[], bytes],
        policy: Callable[[str], Program],
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._secret = identity_secret
        self._policy = policy

    def resolve(self, program: str, identity: str) -> str:
        """Account id of the member that ``kind:value`` belongs to; NotFound. One round trip."""
        owner = self._store.owner(program, self._known(program, identity, "identity"))
        if owner is None:
            raise _unknown()
        return owner

    def get(self, program: str, member_id: str) -> Member:
        """NotFound when there is none."""
        found = self._store.get(program, member_id) if is_account(member_id) else None
        if found is None:
            raise _unknown()
        return found

    def enrol(self, program: str, new: Enrolment, *, actor: str, key: str, member_id: str, now: int) -> Enrolled:
        """Enrol under ``member_id``; ``key`` is the caller's idempotency key, empty for none. One transaction.

        With a key, a repeated request gets the member that the first one enrolled, as it is now; another request
        under the same key is a Conflict. Conflict (MEMBER_IDENTITY_TAKEN) names the identity that is another
        member's; nothing is written then.
        """
        known = member.distinct(self._all(program, new.identities, "identities"), "identities")
        joined = member.check(
            Member(member_id, new.kind, known, dict(new.attributes), new.language, now, now), "identities"
        )
        # Over the digests, not the values: a plain hash of a phone number is as good as the number.
        print_ = fingerprint("enrol", new.kind, known, dict(new.attributes), new.language)
        claims = [claim_of(program, _claim(actor, key), member_id, print_)] if key else []
        wallets = [
            self._ledger.opening(Chain(program, member_id, wallet), new.kind, actor, now)
            for wallet in self._policy(program).wallets
        ]
        for _ in range(MAX_TRIES):
            try:
                self._store.write([*claims, *enrolled(program, joined), *wallets])
            except Contended:
                continue
            except Cancelled as refusal:
                if claims and 0 in refusal.failed:
                    return self._enrolled_before(program, refusal.failed[0], print_)
                _refuse_taken(refusal, len(claims) + 1, len(known), "identities")
                raise
            return Enrolled(joined)
        raise busy()

    def change(self, program: str, member_id: str, change: Change, version: int | None, now: int) -> Member:
        """The member after ``change``; ``version`` is the one the caller has seen, None for whichever there is.

        Conflict: MEMBER_VERSION_CONFLICT when the member moved on, MEMBER_IDENTITY_TAKEN when an added identity is
        another member's. Nothing is written then. Refused (TIER_NOT_HERE) for a tier where the policy has tiers.
        """
        if change.tier is not None and self._policy(program).tiers is not None:
            raise Refused(
                "TIER_NOT_HERE", "The programme's policy has tiers: PUT /v1/members/{id}/tier sets one", field="tier"
            )
        add = member.distinct(self._all(program, change.add, "add_identities"), "add_identities")
        remove = member.distinct(self._all(program, change.remove, "remove_identities"), "remove_identities")
        for _ in range(MAX_TRIES):
            before = self.get(program, member_id)
            if version is not None and before.version != version:
                raise Conflict("MEMBER_VERSION_CONFLICT", "Read the member again and send its ETag in If-Match")
            after = member.changed(before, add, remove, change, now)
            if after is before:
                return before
            added = [one for one in add if one not in before.identities]
            gone = [one for one in before.identities if one not in after.identities]
            try:
                self._store.write(
                    [
                        edited(program, after),
                        *(identity_of(program, member_id, one) for one in added),
                        *(identity_given_up(program, member_id, one) for one in gone),
                    ]
                )
            except Contended:
                continue
            except Cancelled as refusal:
                if 0 in refusal.failed:
                    continue  # somebody changed the member meanwhile: look at it again
                _refuse_taken(refusal, 1, len(added), "add_identities", [add.index(one) for one in added])
                raise
            return after
        raise busy()

    def page(self, program: str, limit: int, cursor: str) -> tuple[list[Member], str]:
        """Members, shard by shard, each shard by id (by age); and the cursor to go on with, empty at the end."""
        match = _CURSOR.fullmatch(cursor or "0")
        if match is None or int(match[1]) >= keys.MEMBER_SHARDS:
            raise Invalid("REQUEST_INVALID", "cursor must be what the page before gave as next", field="cursor")
        shard, after = int(match[1]), match[2]
        found: list[Member] = []
        while True:
            page, after = self._store.page(program, shard, limit - len(found), after)
            found += page
            if after is None:
                shard += 1
            if shard == keys.MEMBER_SHARDS:
                return found, ""
            if len(found) == limit:
                return found, str(shard) if after is None else f"{shard}.{after}"

    def _enrolled_before(self, program: str, claim: Item | None, print_: str) -> Enrolled:
        if claim is None or claim["fingerprint"] != print_:
            raise Conflict(
                "IDEMPOTENCY_KEY_REUSED", "This key was used for a request with other content; nothing was changed"
            )
        return Enrolled(self.get(program, str(claim["member"])), replayed=True)

    def _known(self, program: str, text: str, field: str) -> Known:
        identity = identities.parse(text, field)
        return identity.kind, identities.digest(self._secret(), program, identity)

    def _all(self, program: str, texts: tuple[str, ...], field: str) -> list[Known]:
        return [self._known(program, text, f"{field}[{position}]") for position, text in enumerate(texts)]


def _claim(actor: str, key: str) -> str:
    return f"enrol-{digest(actor, key)}"


def _refuse_taken(refusal: Cancelled, first: int, count: int, named: str, positions: list[int] | None = None) -> None:
    """Conflict when one of the transaction's ``count`` identities, from position ``first`` on, is somebody's."""
    for offset in range(count):
        if first + offset in refusal.failed:
            name = f"{named}[{positions[offset] if positions else offset}]"
            raise Conflict(
                "MEMBER_IDENTITY_TAKEN", f"{name} belongs to another member; nothing was changed", field=name
            )


def _unknown() -> NotFound:
    return NotFound("MEMBER_NOT_FOUND", "There is no such member in this programme")
