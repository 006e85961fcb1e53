"""docs/operations.md and the decision records say what is configured."""

import json
import re
from typing import Final

from infra.catalogue import CATALOGUE, CHAINS, PUT
from loyalty.ledger.account import MAX_HOLDS, MAX_LAPSED, MAX_LOTS, MAX_RECENT
from loyalty.ledger.service import UNCERTAIN_SECONDS
from tests.docs.console import ROOT

TEXT: Final = (ROOT / "docs" / "operations.md").read_text()
STAGES: Final = json.loads((ROOT / "cdk.json").read_text())["context"]["stages"]


def _said(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else f"{value:,}"


def test_the_stages_are_as_the_table_says() -> None:
    rows = re.findall(r"^\| (`[a-z_]+`[^|]*) \| ([^|]+) \| ([^|]+) \|$", TEXT, re.MULTILINE)
    for named, *values in rows:
        fields = re.findall(r"`([a-z_]+)`", named)
        for stage, value in zip(("dev", "prod"), values, strict=True):
            assert value.split(" / ") == [_said(STAGES[stage][field]) for field in fields], named
    documented = {field for named, *_ in rows for field in re.findall(r"`([a-z_]+)`", named)}
    assert documented == set(STAGES["dev"]) | set(STAGES["prod"])


def test_the_figures_of_the_records_are_those_of_the_code() -> None:
    records = {path.name[:4]: path.read_text() for path in (ROOT / "docs" / "adr").glob("0*.md")}
    longest = max(
        function.timeout_s
        for function in CATALOGUE
        if any(PUT in access.actions and CHAINS in access.partitions for access in function.table)
    )
    said = f"{UNCERTAIN_SECONDS} seconds cover the longest a function that writes entries may run ({longest})"
    assert said in records["0008"]
    assert longest + 60 <= UNCERTAIN_SECONDS, "clocks may differ by a minute"
    assert "last six references" in records["0008"]
    assert (MAX_RECENT, MAX_LAPSED) == (6, 3)
    assert f"Lots are bounded ({MAX_LOTS}), holds too ({MAX_HOLDS})" in records["0001"]
