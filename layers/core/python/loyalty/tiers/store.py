"""Every account of a programme, shard by shard, as the stream has published their heads."""

from loyalty.table import keys
from loyalty.table.client import Table


class AccountStore:
    """Accounts in one table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def page(self, program: str, shard: int, limit: int, after: str) -> tuple[list[tuple[str, str]], str]:
        """At most ``limit`` (account, wallet) of a shard, and the cursor to go on ``after``, "" at its end."""
        items, last = self._table.page(
            keys.head_partition(program, shard), limit=limit, after=after or None, consistent=False
        )
        found = [str(item[keys.SK]).split("#") for item in items]
        return [(account, wallet) for account, wallet in found], last or ""
