"""docs/errors.md lists every code that a caller can get, with its status."""

import re
from pathlib import Path

from loyalty.errors import CODES

ERRORS = Path(__file__).parents[2] / "docs" / "errors.md"
_ROW = re.compile(r"^\| `([A-Z_]+)` \| ([0-9]{3}) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)


def test_every_code_is_documented_with_its_status() -> None:
    documented = {code: int(status) for code, status, _, _ in _ROW.findall(ERRORS.read_text())}
    assert documented == {code: status for code, (status, _) in CODES.items()}


def test_codes_are_documented_once_and_in_the_order_of_the_source() -> None:
    assert [code for code, *_ in _ROW.findall(ERRORS.read_text())] == list(CODES)
