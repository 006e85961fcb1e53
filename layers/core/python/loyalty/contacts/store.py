"""Where the contact policy, preferences, records and addresses lie in the table. Addresses lie in a partition of their
own, which few functions may read.
"""

import json
from collections.abc import Mapping
from typing import Any

from loyalty.contacts import policy as policies
from loyalty.contacts import preferences as of_member
from loyalty.contacts import record as records
from loyalty.contacts.policy import DEFAULT, ContactPolicy
from loyalty.contacts.preferences import Addresses, Preferences
from loyalty.contacts.record import Record
from loyalty.errors import Conflict
from loyalty.table import keys
from loyalty.table.client import Table
from loyalty.table.writes import ABSENT, Condition, ConditionFailed, Item, Put


class ContactStore:
    """All of it in one table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def policy(self, program: str) -> ContactPolicy:
        """The programme's policy; the default where none was stored."""
        item = self._table.get(keys.contact_policy(program))
        return DEFAULT if item is None else policies.decode(json.loads(str(item["body"])), int(item["version"]))

    def save_policy(self, program: str, policy: ContactPolicy) -> ContactPolicy:
        """Store it over the version it names; Conflict when that moved on."""
        body = policies.encode(policy)
        put = _put(keys.contact_policy(program), keys.type_contact, body, policy.version)
        try:
            self._table.put(put.item, put.condition)
        except ConditionFailed:
            raise Conflict(
                "CONTACT_POLICY_VERSION_CONFLICT", "Read the policy again and send its ETag in If-Match"
            ) from None
        return policies.decode(body, policy.version + 1)

    def preferences(self, program: str, account: str) -> Preferences:
        item = self._table.get(keys.preferences(program, account))
        return Preferences() if item is None else preferences_of_item(item)

    def record(self, program: str, account: str) -> Record:
        item = self._table.get(keys.contact_record(program, account))
        return Record() if item is None else record_of_item(item)

    def addresses(self, program: str, account: str) -> Addresses:
        item = self._table.get(keys.addresses(program, account))
        if item is None:
            return Addresses()
        return of_member.decode_addresses(json.loads(str(item["body"])), int(item["version"]))

    def of(self, program: str, account: str) -> tuple[Preferences, Addresses]:
        """Both, read at the same time."""
        return self._table.together(
            lambda: self.preferences(program, account), lambda: self.addresses(program, account)
        )

    def save(self, program: str, account: str, preferences: Preferences, addresses: Addresses | None) -> None:
        """Preferences over the version they name, and the addresses with them where they change. ConditionFailed or
        Cancelled when somebody was first; Contended.
        """
        put = preferences_put(program, account, preferences)
        if addresses is None:
            self._table.put(put.item, put.condition)
        else:
            self._table.transact([put, addresses_put(program, account, addresses)])


def preferences_put(program: str, account: str, preferences: Preferences) -> Put:
    """The next version of preferences, over the one they name."""
    body = of_member.encode(preferences)
    return _put(keys.preferences(program, account), keys.type_contact, body, preferences.version)


def record_put(program: str, account: str, record: Record) -> Put:
    """The next version of a record, over the one it names."""
    return _put(keys.contact_record(program, account), keys.type_contact, records.encode(record), record.version)


def addresses_put(program: str, account: str, addresses: Addresses) -> Put:
    """The next version of addresses, over the one they name."""
    body = of_member.encode_addresses(addresses)
    return _put(keys.addresses(program, account), keys.type_addresses, body, addresses.version)


def preferences_of_item(item: Item) -> Preferences:
    return of_member.decode(json.loads(str(item["body"])), int(item["version"]))


def record_of_item(item: Item) -> Record:
    return records.decode(json.loads(str(item["body"])), int(item["version"]))


def _put(key: keys.Key, kind: str, body: Mapping[str, Any], version: int) -> Put:
    pk, sk = key
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    item: Item = {keys.PK: pk, keys.SK: sk, keys.TYPE: kind, "version": version + 1, "body": text}
    return Put(item, ABSENT if version == 0 else Condition("#version = :version", {"version": version}))
