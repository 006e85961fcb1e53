"""``loyalty members``: list them, or find one."""

import json
from itertools import islice
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from cli.api import Api


def show(api: Api, limit: int, as_json: bool, out: Console) -> None:
    """The first ``limit`` members, all when it is 0."""
    members = api.pages("/v1/members", "members", limit=min(limit, 100) or 100)
    if as_json:
        for member in islice(members, limit or None):
            out.print(json.dumps(member, ensure_ascii=False), markup=False)
        return
    _table(list(islice(members, limit or None)), out)


def find(api: Api, identity: str, as_json: bool, out: Console) -> None:
    """The member that ``kind:value`` belongs to."""
    found = api.get("/v1/members", {"identity": identity})["members"]
    if as_json:
        out.print(json.dumps(found[0], ensure_ascii=False), markup=False)
    else:
        _table(found, out)


def _table(members: list[Any], out: Console) -> None:
    whole = Column("member", no_wrap=True, min_width=30)  # an id that is cut short is no id
    table = Table(whole, "kind", "identities", "enrolled", box=None, pad_edge=False)
    for member in members:
        table.add_row(member["id"], member["kind"], ", ".join(member["identities"]), member["enrolled_at"])
    out.print(table)
    out.print(f"{len(members):,} member{'s' if len(members) != 1 else ''}")
