"""``python -m infra.local up | down [--clean]``: what `make up` and `make down` run."""

import argparse
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from infra.local import books, bootstrap, deploy, emulator, examples
from infra.local.api import ApiError
from infra.local.place import REGION, STACK, LocalError, Place, at, default_folder, read_json, write_json

LOADED: Final = f"/{STACK}/examples"
PATIENCE_SECONDS: Final = 300
"""So long a function that follows the table may take over one batch."""

out = Console(highlight=False, soft_wrap=True)


def up(place: Place, purchases: Path = examples.FILE) -> None:
    """Everything: emulator, stack, clients, purchases, summary. LocalError when the books do not balance."""
    with step("emulator") as say:
        started = emulator.start(place)
        say(f"{'started' if started else 'runs'}, {place.endpoint}")
    with step("stack") as say:
        say("deployed" if deploy.deploy(place) else "up to date")
    outputs = deploy.outputs(place)
    with step("programme and clients") as say:
        known = read_json(place.stack_file).get("tokens", {})
        tokens, made = bootstrap.run(place, outputs["TableName"], known)
        say("made" if made else "there already")
    stack = {"api_url": place.api_url, "region": REGION, "table": outputs["TableName"], "tokens": tokens}
    write_json(place.stack_file, stack)
    load = fill(place, tokens, purchases)
    baskets = examples.read(purchases)
    with step("audit") as say:
        delivered(place)
        found = books.audit(place, outputs["TableName"], bootstrap.PROGRAM, baskets)
        say(f"{found.entries:,} entries recomputed")
    summary(place, stack, load, found, purchases)
    if found.wrong or found.differs:
        raise LocalError("The books do not balance; see above")


def fill(place: Place, tokens: Mapping[str, str], purchases: Path) -> dict[str, Any]:
    """Post the purchases of a file unless they are posted; what that took, ``{"digest", "reads", "writes"}``.

    That they are is noted where they are, so the note is lost together with them. Posting them again would change
    nothing either: it only takes its time.
    """
    ssm = deploy.client(place, "ssm")
    stamp, baskets = examples.digest(purchases), examples.read(purchases)
    load: dict[str, Any] = {"digest": "", "reads": 0.0, "writes": 0.0}
    with suppress(ssm.exceptions.ParameterNotFound):
        load |= json.loads(ssm.get_parameter(Name=LOADED)["Parameter"]["Value"])
    if load["digest"] == stamp:
        out.print(f"  purchases              {len(baskets):,}, posted before")
        return load
    households = sorted({basket.household for basket in baskets})
    columns = (TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=out, transient=False) as progress:
        enrolling = progress.add_task(f"{'members':<21}", total=len(households))
        posting = progress.add_task(f"{'purchases':<21}", total=len(baskets), start=False)
        examples.enrol(place.api_url, tokens["operator"], households, lambda: progress.advance(enrolling))
        delivered(place)
        progress.start_task(posting)
        before = capacity(place)
        try:
            examples.post(place.api_url, tokens["till"], baskets, lambda: progress.advance(posting))
            delivered(place)
            load["digest"] = stamp
        finally:  # what an interrupted run has used is part of what it took
            after = capacity(place)
            load["reads"] += after["reads"] - before["reads"]
            load["writes"] += after["writes"] - before["writes"]
            ssm.put_parameter(Name=LOADED, Value=json.dumps(load), Type="String", Overwrite=True)
    return load


def delivered(place: Place) -> None:
    """Return when every function that follows the table has taken every record; LocalError when one does not."""
    if not emulator.settle(place, PATIENCE_SECONDS):
        raise LocalError(f"A function that follows the table does not get on; what it says is in {place.log}")


def capacity(place: Place) -> dict[str, float]:
    """Capacity units that the table has consumed since the emulator started."""
    said = emulator.about(place)
    if said is None:
        raise LocalError(f"The emulator has ended; its log is {place.log}")
    units: dict[str, float] = said["capacity"]
    return units


def summary(
    place: Place,
    stack: dict[str, Any],
    load: dict[str, Any],
    found: books.Books,
    purchases: Path,
) -> None:
    """Print what is there, whether it is right, and how to go on."""
    baskets = examples.read(purchases)
    expected = sum(examples.points(baskets).values())
    each = len(baskets)
    out.print()
    out.print(f"  members     {found.members:>9,}")
    out.print(f"  purchases   {found.purchases:>9,}")
    out.print(f"  points      {found.points:>9,}   recomputed from {purchases.name}: {expected:,}")
    out.print(
        f"  capacity    {load['writes']:>9,.0f}   write units and {load['reads']:,.0f} read units for the purchases:"
        f" {load['writes'] / each:.2f} and {load['reads'] / each:.2f} each, events and heads included"
    )
    for household in found.differs[:10]:
        out.print(f"  household {household} has not what the file says")
    for chain, finding in found.wrong[:10]:
        out.print(f"  {chain.account} {chain.wallet}: entry {finding.number} {finding.reason}")
    if not found.wrong and not found.differs:
        out.print(f"  books balance: {found.chains:,} chains, {found.entries:,} entries, every one recomputed")
    tokens = stack["tokens"]
    _, member = found.richest
    api = stack["api_url"]
    out.print(f"\n  {api}/docs   keys in {place.stack_file}\n")
    out.print(f"curl -H 'Authorization: Bearer {tokens['auditor']}' '{api}/v1/members/{member}/balance'")
    out.print(f"curl -H 'Authorization: Bearer {tokens['auditor']}' '{api}/v1/members/{member}/entries?limit=3'")
    out.print(
        f"curl -H 'Authorization: Bearer {tokens['till']}' -H 'Idempotency-Key: first-try'"
        f" -d '{{\"points\": 5}}' '{api}/v1/members/{member}/redemptions'"
    )


def down(place: Place, *, clean: bool) -> None:
    """Stop the emulator; ``clean`` removes what it kept."""
    stopped = emulator.stop(place)
    if not clean:
        out.print("stopped; `make up` goes on where it was" if stopped else "nothing runs")
        return
    for path in place.kept():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    out.print(f"stopped; {place.folder} is empty" if stopped else f"{place.folder} is empty")


@contextmanager
def step(name: str) -> Iterator[Callable[[str], None]]:
    """One line of `make up`: what is being done, then what came of it and how long it took."""
    said: list[str] = []
    began = time.monotonic()
    with out.status(f"{name} ..."):
        yield said.append
    out.print(f"  {name:<22} {''.join(said)}  ({time.monotonic() - began:.1f} s)")


def main(arguments: Sequence[str]) -> int:
    """The command line; 0, or 1 with a message on standard error."""
    parser = argparse.ArgumentParser(prog="python -m infra.local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="start, deploy, fill, and say what is there")
    stopping = commands.add_parser("down", help="stop, keeping the data")
    stopping.add_argument("--clean", action="store_true", help="remove the data too")
    chosen = parser.parse_args(arguments)
    try:
        place = at(default_folder())
        if chosen.command == "up":
            up(place)
        else:
            down(place, clean=chosen.clean)
    except (LocalError, ApiError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
