"""Where rule sets lie in the table: small items that say what there is, and long texts cut into parts.

A version's texts are written first, then in one transaction the version, the rule set it was made of and the item that
says which is in force. That item is written under its revision, so of two who publish at once one is refused.
"""

from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Final, TypeVar

import msgspec

from loyalty.errors import Corrupt
from loyalty.rules.seal import fingerprint
from loyalty.rules.versions import Act, Blob, Current, Version, Written
from loyalty.table import keys
from loyalty.table.client import Table, Together
from loyalty.table.writes import ABSENT, Condition, Delete, Item, Put

_T = TypeVar("_T")
PART: Final = 350_000
"""Bytes of base64 in one item; DynamoDB's bound is 400 KB."""


class RuleStore:
    """Rule sets in one table."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self.together: Together = table.together

    def add(self, program: str, written: Written) -> None:
        """Keep a rule set whose source was put; ConditionFailed when the id is taken."""
        self._table.put(_item(keys.rule_set(program, written.id), written), ABSENT)

    def written(self, program: str, rule_set: str) -> Written | None:
        item = self._table.get(keys.rule_set(program, rule_set))
        return None if item is None else _of(item, Written)

    def page(self, program: str, limit: int, after: str | None) -> tuple[list[Written], str | None]:
        """Rule sets, the newest first, and the id to go on ``after``, None at the end."""
        start = None if after is None else keys.rule_set(program, after)[1]
        items, last = self._table.page(
            keys.rules_partition(program), limit=limit, newest_first=True, after=start, prefix=keys.RULE_SET_PREFIX
        )
        return [_of(item, Written) for item in items], last and last.removeprefix(keys.RULE_SET_PREFIX)

    def version(self, program: str, number: int) -> Version | None:
        item = self._table.get(keys.rules_version(program, number))
        return None if item is None else _of(item, Version)

    def current(self, program: str) -> Current:
        """What is in force; revision 0 before anything was published. Corrupt."""
        item = self._table.get(keys.rules_current(program))
        return Current() if item is None else _of(item, Current)

    def move(
        self,
        program: str,
        before: Current,
        after: Current,
        made: tuple[Version, Written] | None = None,
        further: Sequence[Put] = (),
    ) -> None:
        """Put ``after`` in force in the place of ``before`` and note who did, together with the version and the rule
        set it was made of, and ``further`` writes. Cancelled, with position 0 among the refused when another was first;
        Contended.
        """
        still = Condition("#revision = :revision", {"revision": before.revision}) if before.revision else ABSENT
        item = {**_item(keys.rules_current(program), after), "revision": after.revision}
        act = Act(after.act, after.number, before.number, after.actor, after.at)
        noted = Put(_item(keys.rules_act(program, after.revision), act))
        writes: list[Put | Delete] = [Put(item, still), noted]
        if made is not None:
            version, written = made
            writes.append(Put(_item(keys.rules_version(program, version.number), version)))
            writes.append(Put(_item(keys.rule_set(program, written.id), written)))
        self._table.transact([*writes, *further])

    def acts(self, program: str, limit: int) -> list[Act]:
        """Who put what in force, the newest first."""
        items, _ = self._table.page(
            keys.rules_partition(program), limit=limit, newest_first=True, prefix=keys.ACT_PREFIX
        )
        return [_of(item, Act) for item in items]

    def put_blob(self, program: str, content: bytes) -> Blob:
        """Keep a long text. The same text again changes nothing."""
        text = b64encode(content).decode()
        parts = [text[start : start + PART] for start in range(0, len(text), PART)] or [""]
        blob = Blob(fingerprint(content), len(parts))
        for number, part in enumerate(parts):
            pk, sk = keys.rules_blob(program, blob.digest, number)
            self._table.put({keys.PK: pk, keys.SK: sk, keys.TYPE: keys.type_rules, "body": part})
        return blob

    def blob(self, program: str, blob: Blob) -> bytes:
        """A long text, read in one round trip for each megabyte. Corrupt when it is not all there, or another."""
        content = self._read(program, blob, consistent=False)
        if content is None:  # not yet where this read went, perhaps
            content = self._read(program, blob, consistent=True)
        if content is None:
            raise Corrupt("a stored rule set is not all there, or not what it was")
        return content

    def _read(self, program: str, blob: Blob, *, consistent: bool) -> bytes | None:
        prefix = keys.rules_blob_prefix(blob.digest)
        parts = [
            str(item.get("body", ""))
            for item in self._table.walk(keys.rules_partition(program), prefix=prefix, consistent=consistent)
        ]
        try:
            content = b64decode("".join(parts), validate=True)
        except ValueError:
            return None
        return content if len(parts) == blob.parts and fingerprint(content) == blob.digest else None


def _item(key: keys.Key, value: Written | Version | Current | Act) -> Item:
    return {
        keys.PK: key[0],
        keys.SK: key[1],
        keys.TYPE: keys.type_rules,
        "body": msgspec.json.encode(value).decode(),
    }


def _of(item: Item, shape: type[_T]) -> _T:
    try:
        return msgspec.json.decode(str(item["body"]), type=shape)
    except (KeyError, msgspec.MsgspecError) as error:
        raise Corrupt("what is kept of a rule set cannot be read") from error
