"""``loyalty webhooks``: partners' endpoints, what was sent to them, and sending a time's events anew."""

import argparse
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rich.console import Console

from cli.api import Api

if TYPE_CHECKING:
    from cli.command import Session


def register(group: Any) -> None:
    """The commands; ``group`` are those of ``loyalty webhooks``."""
    one = _command(group, "list", "endpoints, and how they fare", lambda api, given, out: listed(api, given.json, out))
    one.add_argument("--json", action="store_true", help="as JSON")
    one = _command(group, "create", "make one; prints its secret, this once", create)
    one.add_argument("url", help="https, public")
    one.add_argument("events", nargs="+", help="types such as points.earned, points.*, or all: '*'")
    one.add_argument("--ordered", action="store_true", help="keep a member's events in order")
    one = _command(group, "deliveries", "what was sent, the newest first", deliveries)
    one.add_argument("webhook", help="its id, hook_…")
    one = _command(group, "replay", "send anew what was recorded in a time", replay)
    one.add_argument("webhook", help="its id, hook_…")
    one.add_argument("since", help="such as 2026-03-01T00:00:00Z")
    one.add_argument("until", help="the same")
    one = _command(group, "rotate", "give it a new secret, printed this once; the old one signs beside it", rotate)
    one.add_argument("webhook", help="its id, hook_…")
    one.add_argument("--overlap", type=int, default=86_400, help="for so many seconds; a day when left out")
    for name, enabled, what in (("enable", True, "switch it on"), ("disable", False, "switch it off")):
        one = _command(group, name, what, _switch(enabled))
        one.add_argument("webhook", help="its id, hook_…")
    one = _command(group, "test", "send it an event of no consequence", test)
    one.add_argument("webhook", help="its id, hook_…")
    one = _command(group, "remove", "end it", remove)
    one.add_argument("webhook", help="its id, hook_…")


def listed(api: Api, as_json: bool, out: Console) -> None:
    found = api.get("/v1/webhooks")["webhooks"]
    if as_json:
        out.print(json.dumps(found, ensure_ascii=False), markup=False)
        return
    for one in found:
        failing = f"failing since {one['failing_since']}" if "failing_since" in one else "on"
        state = failing if one["enabled"] else f"off ({one.get('why', 'by hand')})"
        out.print(f"{one['id']}  {state}  {' '.join(one['events'])}  {one['url']}", markup=False)


def create(api: Api, given: Any, out: Console) -> None:
    body = {"url": given.url, "events": given.events, "ordered": given.ordered}
    made = api.call("POST", "/v1/webhooks", body=body).json()
    out.print(made["webhook"]["id"], markup=False)
    out.print(made["secret"], markup=False)


def deliveries(api: Api, given: Any, out: Console) -> None:
    for one in api.get(f"/v1/webhooks/{given.webhook}/deliveries")["deliveries"]:
        said = (one["recorded_at"], one["type"], one["state"], one.get("code", "-"), one["id"])
        out.print("  ".join(said), markup=False)


def replay(api: Api, given: Any, out: Console) -> None:
    body = {"since": given.since, "until": given.until}
    found = api.call("POST", f"/v1/webhooks/{given.webhook}/replay", body=body).json()
    out.print(f"sending anew what was recorded from {found['since']} to {found['until']}", markup=False)


def rotate(api: Api, given: Any, out: Console) -> None:
    answer = api.call("POST", f"/v1/webhooks/{given.webhook}/rotate", body={"overlap": given.overlap})
    out.print(answer.json()["secret"], markup=False)


def test(api: Api, given: Any, out: Console) -> None:
    out.print(api.call("POST", f"/v1/webhooks/{given.webhook}/test").json()["id"], markup=False)


def remove(api: Api, given: Any, out: Console) -> None:
    api.call("DELETE", f"/v1/webhooks/{given.webhook}")
    out.print(f"{given.webhook} is gone", markup=False)


def _switch(enabled: bool) -> Callable[[Api, Any, Console], None]:
    def switch(api: Api, given: Any, out: Console) -> None:
        api.call("PATCH", f"/v1/webhooks/{given.webhook}", body={"enabled": enabled})
        out.print(f"{given.webhook} is {'on' if enabled else 'off'}", markup=False)

    return switch


def _command(group: Any, name: str, what: str, run: Callable[[Api, Any, Console], None]) -> argparse.ArgumentParser:
    one: argparse.ArgumentParser = group.add_parser(name, help=what)

    def with_api(session: "Session", given: Any) -> None:
        with session.api() as api:
            run(api, given, session.out)

    one.set_defaults(run=with_api)
    return one
