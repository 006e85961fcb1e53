"""Where the models' parameters lie in the table, and the list of accounts that they are fitted on."""

from typing import Final

import msgspec

from loyalty.churn.parameters import Attempt, Parameters
from loyalty.table import keys
from loyalty.table.client import Table
from loyalty.table.writes import ABSENT, Cancelled, Condition, Contended, Item, Put

_PAGE: Final = 1_000


class ChurnStore:
    """Parameters in one table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def current(self, program: str) -> Parameters | None:
        """Those in force; None when none ever were. One round trip."""
        item = self._table.get(keys.churn_current(program), consistent=False)
        return None if item is None else msgspec.json.decode(str(item["body"]), type=Parameters)

    def publish(self, program: str, parameters: Parameters) -> bool:
        """Put the next version in force, and keep it; False when somebody else has put one in force meanwhile."""
        body = msgspec.json.encode(parameters).decode()
        version = parameters.version
        before = ABSENT if version == 1 else Condition("#version = :before", {"before": version - 1})
        current = _item(keys.churn_current(program), body=body, version=version)
        kept = _item(keys.churn_version(program, version), body=body, version=version)
        try:
            self._table.transact([Put(current, before), Put(kept, ABSENT)])
        except (Cancelled, Contended):
            return False
        return True

    def note(self, program: str, attempt: Attempt) -> None:
        """Write down how a fit went, over the one before."""
        self._table.put(_item(keys.churn_fit(program), body=msgspec.json.encode(attempt).decode()))

    def attempt(self, program: str) -> Attempt | None:
        """How the newest fit went."""
        item = self._table.get(keys.churn_fit(program), consistent=False)
        return None if item is None else msgspec.json.decode(str(item["body"]), type=Attempt)

    def accounts(self, program: str, shard: int, wallet: str) -> list[str]:
        """The accounts of a shard that have the wallet. Which shard an account is in is as good as chance."""
        heads = self._table.walk(keys.head_partition(program, shard), consistent=False, page_size=_PAGE)
        named = (str(item[keys.SK]).split("#") for item in heads)
        return [account for account, its in named if its == wallet]


def _item(key: keys.Key, **attributes: str | int) -> Item:
    return {keys.PK: key[0], keys.SK: key[1], keys.TYPE: keys.type_churn, **attributes}
