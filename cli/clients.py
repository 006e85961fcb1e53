"""``loyalty clients``: who may call, with which keys. A key is shown once, when it is made."""

from typing import Any

from rich.console import Console
from rich.table import Column, Table

from cli.api import Api


def show(api: Api, out: Console) -> None:
    """Every client of the programme, revoked ones too."""
    whole = Column("client", no_wrap=True, min_width=30)  # an id that is cut short is no id
    table = Table(whole, "name", "role", "store", "state", box=None, pad_edge=False)
    for client in api.pages("/v1/clients", "clients"):
        table.add_row(client["id"], client["name"], client["role"], client.get("store", ""), _state(client))
    out.print(table)


def create(
    api: Api, name: str, role: str, store: str, limit: int, scopes: list[str], out: Console, said: Console
) -> None:
    """Make a client; its key goes to ``out`` alone, so that it can be piped."""
    body: dict[str, Any] = {"name": name, "role": role, "store": store, "limit": limit}
    if scopes:
        body["scopes"] = scopes
    made = api.call("POST", "/v1/clients", body=body).json()
    said.print(f"{made['client']['id']} {name}; its key is shown this once:")
    _key(made["key"], out)


def rotate(api: Api, client: str, overlap: int, replace_newest: bool, out: Console, said: Console) -> None:
    """Give a client a new key; the one in use works for ``overlap`` more seconds."""
    body = {"overlap": overlap, "replace_newest": replace_newest}
    made = api.call("POST", f"/v1/clients/{client}/rotate", body=body).json()
    until = made["client"].get("old_key_until")
    said.print(
        f"the key before works until {until}; the new one:" if until else "the key before has ended; the new one:"
    )
    _key(made["key"], out)


def revoke(api: Api, client: str, said: Console) -> None:
    api.call("DELETE", f"/v1/clients/{client}")
    said.print(f"{client} is revoked; the gateway forgets its key within a minute")


def _key(key: str, out: Console) -> None:
    out.print(key, markup=False, soft_wrap=True)


def _state(client: Any) -> str:
    if "revoked_at" in client:
        return f"revoked {client['revoked_at']}"
    if "old_key_until" in client:
        return f"old key until {client['old_key_until']}"
    return "active"
