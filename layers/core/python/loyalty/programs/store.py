"""Where policies lie in the table: one item a programme, edited under its version; beside it a sandbox's clock."""

import json
from typing import Any

from loyalty.errors import Conflict, NotFound
from loyalty.programs.clock import Clock
from loyalty.programs.terms import Program
from loyalty.table import keys
from loyalty.table.client import Table
from loyalty.table.writes import ABSENT, Condition, ConditionFailed, Item


class ProgramStore:
    """Policies in one table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def document(self, program: str) -> tuple[dict[str, Any], int]:
        """The stored policy document and its version; NotFound."""
        item = self._table.get(keys.policy(program))
        if item is None:
            raise NotFound("PROGRAM_NOT_FOUND", "There is no such programme")
        return json.loads(str(item["body"])), int(item["version"])

    def load(self, program: str) -> Program:
        """The policy as the functions use it; NotFound."""
        return Program.of(*self.document(program))

    def save(self, document: dict[str, Any], version: int) -> int:
        """Store a checked document over version ``version`` (0: it is new); returns the new version. Conflict when
        it moved on.
        """
        pk, sk = keys.policy(document["program"])
        item: Item = {
            keys.PK: pk,
            keys.SK: sk,
            keys.TYPE: keys.type_program,
            "body": json.dumps(document, ensure_ascii=False),
            "version": version + 1,
        }
        condition = ABSENT if version == 0 else Condition("#version = :version", {"version": version})
        try:
            self._table.put(item, condition)
        except ConditionFailed:
            raise Conflict("PROGRAM_VERSION_CONFLICT", "Read the policy again and send its ETag in If-Match") from None
        return version + 1


class ClockStore:
    """Clocks of sandbox programmes in one table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def clock(self, program: str) -> Clock:
        """As the last move left it, read with consistency."""
        item = self._table.get(keys.clock(program))
        return Clock() if item is None else Clock(int(item["ahead"]), int(item["to"]), int(item["version"]))

    def save_clock(self, program: str, clock: Clock) -> None:
        """Store a clock over the one before it; ConditionFailed when another move was first."""
        pk, sk = keys.clock(program)
        item: Item = {
            keys.PK: pk,
            keys.SK: sk,
            keys.TYPE: keys.type_clock,
            "ahead": clock.ahead,
            "to": clock.to,
            "version": clock.version,
        }
        before = clock.version - 1
        self._table.put(item, ABSENT if before == 0 else Condition("#version = :version", {"version": before}))
