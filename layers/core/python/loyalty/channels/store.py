"""Access tokens of channels in the table: kept for all running copies, renewed by one of them."""

from loyalty.channels.access import Access
from loyalty.table import keys
from loyalty.table.client import Table
from loyalty.table.writes import ABSENT, Condition, Item


class AccessStore:
    """Tokens in one table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, program: str, channel: str) -> Access | None:
        """The token as it was last written, read consistently."""
        item = self._table.get(keys.channel_token(program, channel))
        return None if item is None else _access_of(item)

    def put(self, program: str, channel: str, access: Access) -> None:
        """Write it as the version after the one that was read. ConditionFailed when another copy was first."""
        pk, sk = keys.channel_token(program, channel)
        item: Item = {
            keys.PK: pk,
            keys.SK: sk,
            keys.TYPE: keys.type_access,
            "account": access.account,
            "token": access.token,
            "ends": access.ends,
            "leased": access.leased,
            "forced": access.forced,
            "version": access.version,
        }
        before = access.version - 1
        self._table.put(item, Condition("#version = :before", {"before": before}) if before else ABSENT)


def _access_of(item: Item) -> Access:
    return Access(
        account=str(item["account"]),
        token=str(item["token"]),
        ends=int(item["ends"]),
        leased=int(item["leased"]),
        forced=int(item["forced"]),
        version=int(item["version"]),
    )
