"""Time zones that may be named: those of the IANA database, which are the same wherever they are read."""

from functools import cache
from typing import Final
from zoneinfo import available_timezones

_OF_A_MACHINE: Final = frozenset({"Factory", "localtime", "posixrules"})
"""Files beside the zones that are no place's: a clock nobody has set, and what a machine was set to."""


@cache
def zones() -> frozenset[str]:
    """Their names, such as Europe/Berlin."""
    return frozenset(available_timezones()) - _OF_A_MACHINE
