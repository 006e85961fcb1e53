"""Where members, their identities and the claims of their enrolments lie in the table."""

import json
from collections.abc import Iterable

from loyalty.members.member import Known, Member, decode, encode
from loyalty.table import keys
from loyalty.table.client import Table
from loyalty.table.writes import ABSENT, Condition, Delete, Item, Put


class MemberStore:
    """Members in one table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, program: str, member_id: str) -> Member | None:
        item = self._table.get(keys.member(program, member_id))
        return None if item is None else member_of_item(item)

    def many(self, program: str, member_ids: Iterable[str]) -> dict[str, Member]:
        """Those of the members that there are, by id, read eventually consistently."""
        items = self._table.batch_get(keys.member(program, one) for one in member_ids)
        return {member.id: member for member in map(member_of_item, items.values())}

    def owner(self, program: str, identity: Known) -> str | None:
        """Id of the member an identity belongs to."""
        item = self._table.get(keys.identity(program, *identity))
        return None if item is None else str(item["member"])

    def page(self, program: str, shard: int, limit: int, after: str | None) -> tuple[list[Member], str | None]:
        """Members of one shard by id, and the id to go on ``after``, None at the end."""
        items, last = self._table.page(keys.member_partition(program, shard), limit=limit, after=after)
        return [member_of_item(item) for item in items], last

    def write(self, writes: list[Put | Delete]) -> None:
        """All of them or none; Cancelled, Contended."""
        self._table.transact(writes)


def enrolled(program: str, member: Member) -> list[Put]:
    """A new member and its identities: first the member, then the identities in their order."""
    return [
        Put(_item(program, member), ABSENT),
        *(identity_of(program, member.id, one) for one in member.identities),
    ]


def edited(program: str, member: Member) -> Put:
    """A member's next version over the one before."""
    return Put(_item(program, member), Condition("#version = :version", {"version": member.version - 1}))


def identity_of(program: str, member_id: str, identity: Known) -> Put:
    """An identity that is nobody's yet becomes a member's."""
    pk, sk = keys.identity(program, *identity)
    return Put({keys.PK: pk, keys.SK: sk, keys.TYPE: keys.type_identity, "member": member_id}, ABSENT)


def identity_given_up(program: str, member_id: str, identity: Known) -> Delete:
    """A member's identity becomes free."""
    return Delete(keys.identity(program, *identity), Condition("#member = :member", {"member": member_id}))


def claim_of(program: str, what: str, member_id: str, fingerprint: str) -> Put:
    """The idempotency key of an enrolment, which is used once."""
    pk, sk = keys.claim(program, what)
    return Put(
        {
            keys.PK: pk,
            keys.SK: sk,
            keys.TYPE: keys.type_claim,
            "member": member_id,
            "fingerprint": fingerprint,
        },
        ABSENT,
    )


def member_of_item(item: Item) -> Member:
    """A member from its stored item."""
    return decode(str(item[keys.SK]), json.loads(str(item["body"])), int(item["version"]))


def _item(program: str, member: Member) -> Item:
    pk, sk = keys.member(program, member.id)
    body = json.dumps(encode(member), separators=(",", ":"), ensure_ascii=False)
    return {keys.PK: pk, keys.SK: sk, keys.TYPE: keys.type_member, "version": member.version, "body": body}
