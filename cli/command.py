"""The command line. Exit status: 0 done, 1 books or rules that are wrong, 2 could not be done."""

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import httpx
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from cli import (
    campaigns,
    churn,
    clients,
    clock,
    members,
    messages,
    night,
    program,
    publishing,
    rules,
    segments,
    simulate,
    tiers,
    webhooks,
)
from cli.api import Api
from cli.redrive import redrive
from cli.target import LOCAL_STACK, CommandError, aws, target
from cli.verify import verify, verify_table

ROLES: Final = ("till", "shop", "operator", "marketer", "auditor")


class Session:
    """What a command is given: its arguments, the environment, where to write."""

    def __init__(
        self, arguments: argparse.Namespace, environment: Mapping[str, str], transport: httpx.BaseTransport | None
    ) -> None:
        self.arguments = arguments
        self.environment = environment
        self.out = Console(highlight=False, soft_wrap=True)
        self.said = Console(highlight=False, soft_wrap=True, stderr=True)
        self._transport = transport

    def api(self) -> Api:
        return Api(target(self.environment, self.arguments.caller), self._transport)


Run = Callable[[Session, Any], int | None]


def main(
    arguments: Sequence[str],
    environment: Mapping[str, str] = os.environ,
    transport: httpx.BaseTransport | None = None,
) -> int:
    """Run one command; a message on standard error, and 2, when it could not be done."""
    session = Session(parser().parse_args(arguments), environment, transport)
    run: Run = session.arguments.run
    try:
        return run(session, session.arguments) or 0
    except (CommandError, BotoCoreError, ClientError) as error:  # the latter two: AWS said no, or nothing
        session.said.print(str(error), markup=False)
        return 2
    except KeyboardInterrupt:
        return 130


def parser() -> argparse.ArgumentParser:
    """Every command and its options."""
    whole = argparse.ArgumentParser(
        prog="loyalty",
        description="The operators' command line. LOYALTY_API_URL and LOYALTY_TOKEN say which API and with which key; "
        "without them it is the local stack, .local/stack.json.",
    )
    whole.add_argument(
        "--as", dest="caller", choices=ROLES, default="operator", help="which of the local stack's keys (operator)"
    )
    commands = whole.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _members(commands)
    _verify(commands)
    _redrive(commands)
    _clients(commands)
    _program(commands)
    _clock(commands)
    _rules(commands)
    webhooks.register(
        commands.add_parser("webhooks", help="events for partners").add_subparsers(required=True, metavar="WHAT")
    )
    segments.register(
        commands.add_parser("segments", help="who belongs together").add_subparsers(required=True, metavar="WHAT")
    )
    tiers.register(commands.add_parser("tiers", help="who stands where").add_subparsers(required=True, metavar="WHAT"))
    churn.register(commands.add_parser("churn", help="who stops buying").add_subparsers(required=True, metavar="WHAT"))
    campaigns.register(
        commands.add_parser("campaigns", help="what members are told and given").add_subparsers(
            required=True, metavar="WHAT"
        )
    )
    what = commands.add_parser("messages", help="what members were told").add_subparsers(required=True, metavar="WHAT")
    messages.register(what)
    _night(commands)
    _bootstrap(commands)
    return whole


def _members(commands: Any) -> None:
    group = commands.add_parser("members", help="list members, find one").add_subparsers(required=True, metavar="WHAT")
    one = group.add_parser("list", help="members, shard by shard, each shard by age")
    one.add_argument("--limit", type=_count, default=0, help="so many at most")
    one.add_argument("--json", action="store_true", help="one JSON object a line")
    one.set_defaults(run=lambda session, given: _with(session, members.show, given.limit, given.json, session.out))
    one = group.add_parser("find", help="the member that an identity belongs to")
    one.add_argument("identity", help="kind:value, such as card:10001")
    one.add_argument("--json", action="store_true", help="as JSON")
    one.set_defaults(run=lambda session, given: _with(session, members.find, given.identity, given.json, session.out))


def _verify(commands: Any) -> None:
    one = commands.add_parser("verify", help="recompute chains; exit status 1 when one is wrong")
    one.add_argument("member", nargs="?", default="", help="one member's id; all members when left out")
    one.add_argument("--wallet", default="", help="one wallet; all of the policy's when left out")
    one.add_argument("--jobs", type=_jobs, default=4, help="chains at once, 1 to 32 (4)")
    one.add_argument(
        "--program", default="", help="read the table itself, with AWS credentials: this programme's chains"
    )
    one.add_argument("--stack", default="", help=f"with --program: the stack, such as loyalty-prod ({LOCAL_STACK})")
    one.add_argument("--table", default="", help="with --program: another table, such as a restored one")

    def run(session: Session, given: Any) -> int | None:
        if not given.program:
            return _with(session, verify, given.member, given.wallet, given.jobs, session.out, session.said)
        books = aws(session.environment, given.stack)
        return verify_table(books, given.table, given.program, session.out, session.said)

    one.set_defaults(run=run)


def _redrive(commands: Any) -> None:
    one = commands.add_parser("redrive", help="send the ingest queue's dead letters again")
    one.add_argument("--stack", default="", help=f"the CloudFormation stack, such as loyalty-prod ({LOCAL_STACK})")
    one.add_argument("--queue", default="", help="URL of the ingest queue; the stack's own when left out")
    one.add_argument("--dead-letters", default="", help="URL of its dead-letter queue; the stack's own when left out")
    one.add_argument("--code", default="", help="only what was set aside for this reason, such as MEMBER_NOT_FOUND")
    one.add_argument("--dry-run", action="store_true", help="say what would be sent, and leave everything where it is")
    one.set_defaults(
        run=lambda session, given: redrive(
            aws(session.environment, given.stack),
            queue=given.queue,
            dead_letters=given.dead_letters,
            code=given.code,
            dry_run=given.dry_run,
            out=session.out,
            bar=session.said,
        )
    )


def _clients(commands: Any) -> None:
    group = commands.add_parser("clients", help="who may call").add_subparsers(required=True, metavar="WHAT")
    one = group.add_parser("list", help="every client, revoked ones too")
    one.set_defaults(run=lambda session, _: _with(session, clients.show, session.out))
    one = group.add_parser("create", help="make a client; prints its key, this once")
    one.add_argument("name", help="what it is called, such as 'Till 4 of store 319'")
    one.add_argument("role", choices=ROLES)
    one.add_argument("--store", default="", help="the one store it belongs to")
    one.add_argument("--limit", type=_count, default=0, help="requests a second for each running copy of a function")
    one.add_argument("--scope", action="append", default=[], help="only this scope of its role; may be repeated")
    one.set_defaults(
        run=lambda session, given: _with(
            session,
            clients.create,
            given.name,
            given.role,
            given.store,
            given.limit,
            given.scope,
            session.out,
            session.said,
        )
    )
    one = group.add_parser("rotate", help="give a client a new key; prints it, this once")
    one.add_argument("client", help="its id, cli_…")
    one.add_argument("--overlap", type=_count, default=86_400, help="seconds that the key in use works on (86400)")
    one.add_argument("--replace-newest", action="store_true", help="the newest key was lost before anybody used it")
    one.set_defaults(
        run=lambda session, given: _with(
            session, clients.rotate, given.client, given.overlap, given.replace_newest, session.out, session.said
        )
    )
    one = group.add_parser("revoke", help="end a client at once")
    one.add_argument("client", help="its id, cli_…")
    one.set_defaults(run=lambda session, given: _with(session, clients.revoke, given.client, session.said))


def _program(commands: Any) -> None:
    group = commands.add_parser("program", help="the policy").add_subparsers(required=True, metavar="WHAT")
    one = group.add_parser("get", help="print it")
    one.set_defaults(run=lambda session, _: _with(session, program.get, session.out, session.said))
    one = group.add_parser("put", help="replace it")
    one.add_argument("file", type=Path, help="the whole policy, as JSON")
    one.add_argument("--version", type=_count, default=0, help="the version it replaces; the newest when left out")
    one.set_defaults(run=lambda session, given: _with(session, program.put, given.file, given.version, session.said))


def _clock(commands: Any) -> None:
    one = commands.add_parser("clock", help="what time it is; move a sandbox programme's clock ahead")
    one.add_argument("to", nargs="?", default="", help="+40d, +12h, +6w, 2027-01-01 or 2027-01-01T12:00:00Z")
    one.add_argument("--stack", default="", help=f"the stack whose nights are run, such as loyalty-dev ({LOCAL_STACK})")
    one.add_argument("--without-nights", action="store_true", help="leave what is due to the next night")
    one.add_argument("--pause", type=float, default=clock.PAUSE, help="seconds between two days (1)")

    def run(session: Session, given: Any) -> int | None:
        if not given.to:
            return _with(session, clock.show, session.out)
        nights = None if given.without_nights else aws(session.environment, given.stack)
        return _with(session, clock.move, given.to, nights, session.out, given.pause)

    one.set_defaults(run=run)


def _rules(commands: Any) -> None:
    group = commands.add_parser("rules", help="what is earned").add_subparsers(required=True, metavar="WHAT")
    rules.register(group)
    publishing.register(group)
    simulate.register(group)


def _night(commands: Any) -> None:
    group = commands.add_parser("night", help="what is due").add_subparsers(required=True, metavar="WHAT")
    one = group.add_parser(
        "aside", help="accounts that could not be seen to, and why; exit status 1 when there are any"
    )
    one.add_argument("--json", action="store_true", help="everything as JSON")
    one.set_defaults(run=lambda session, given: _with(session, night.aside, given.json, session.out, session.said))
    one = group.add_parser("run", help="do now what is due and not done, day by day; exit status 1 when it failed")
    one.add_argument("--program", default="", help="one programme; all of them when left out")
    one.add_argument("--until", default="", help="the last day, such as 2026-12-31; today when left out")
    one.add_argument("--again", action="store_true", help="try those of the programme once more who were set aside")
    one.add_argument("--stack", default="", help=f"the CloudFormation stack, such as loyalty-prod ({LOCAL_STACK})")
    one.set_defaults(
        run=lambda session, given: night.run(
            aws(session.environment, given.stack),
            program=given.program,
            until=given.until,
            out=session.out,
            again=given.again,
        )
    )


def _bootstrap(commands: Any) -> None:
    one = commands.add_parser("bootstrap", help="a programme's policy and first operator, with AWS credentials")
    one.add_argument("file", type=Path, help="the policy, as JSON")
    one.add_argument("--stack", default="", help=f"the CloudFormation stack, such as loyalty-prod ({LOCAL_STACK})")
    one.add_argument("--table", default="", help="the table's name; the stack's own when left out")
    one.add_argument("--name", default="First operator", help="what the operator is called")
    one.add_argument("--new-key", action="store_true", help="its key was lost: make a new one and end all others")

    def run(session: Session, given: Any) -> None:
        from cli.bootstrap import bootstrap  # the product's own code: no other command needs it

        bootstrap(
            aws(session.environment, given.stack),
            given.file,
            table=given.table,
            name=given.name,
            new_key=given.new_key,
            out=session.out,
            said=session.said,
        )

    one.set_defaults(run=run)


def _with(session: Session, run: Callable[..., int | None], *arguments: Any) -> int | None:
    with session.api() as api:
        return run(api, *arguments)


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0")
    return int(text)


def _jobs(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 32:
        raise argparse.ArgumentTypeError(f"{text!r} is not 1 to 32")
    return int(text)
