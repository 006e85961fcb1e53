"""``loyalty bootstrap``: a programme's policy and its first operator, which nobody could make through the API.

Needs the right to read and write the table, and nothing of the API. Run again, it changes nothing.
"""

from pathlib import Path

from rich.console import Console

from cli.program import document_in
from cli.target import Aws, CommandError
from loyalty.clients.bootstrap import ensure_client, ensure_program
from loyalty.clients.credentials import parse
from loyalty.clients.service import Clients, NewClient
from loyalty.clients.store import ClientStore
from loyalty.errors import Problem
from loyalty.table.client import Table


def bootstrap(aws: Aws, file: Path, *, table: str, name: str, new_key: bool, out: Console, said: Console) -> None:
    """Store the policy in ``file`` unless its programme has one, and make an operator called ``name`` unless there is.

    ``table`` is the table's name, empty for the stack's own. With ``new_key`` an operator of that name gets a new key,
    which ends all its others: for when the first key was lost. The key goes to ``out`` alone.
    """
    document = document_in(file)
    client = aws.client("dynamodb")
    try:
        books = Table(client, table or aws.output("TableName"))
        version = ensure_program(books, document)
        program = document["program"]
        said.print(f"programme {program}: policy version {version}")
        there = [
            one
            for one in Clients(ClientStore(books)).all(program)
            if not one.revoked and (one.name, one.role) == (name, "operator")
        ]
        if there and not new_key:
            said.print(f"operator {name}: {there[0].id} is there already; its key was shown when it was made")
            return
        key = ensure_client(books, program, NewClient(name=name, role="operator"))
        made = parse(key)
        said.print(f"operator {name}: {made.client if made else ''}; its key is shown this once:")
        out.print(key, markup=False, soft_wrap=True)
    except Problem as problem:
        raise CommandError(f"{problem.code}: {problem.detail}") from None
    finally:
        client.close()
