"""Ids: a type prefix and a ULID; for what lives in a wallet's chain, the account, the wallet and the entry's number.

``mem_01J…`` is an account. ``red_01J…-points-17`` is the redemption that entry 17 of that account's ``points`` wallet
made: the id says where to look, so no lookup row is needed, and it exists exactly when the entry does. Ids are names,
not secrets: what a caller may touch is decided by its programme and scopes.
"""

import re
from typing import NamedTuple

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ULID = "[0-7][0-9A-HJKMNP-TV-Z]{25}"
_ACCOUNT = re.compile(f"mem_{_ULID}", re.ASCII)
ENTRY = f"^ent_{_ULID}-[a-z][a-z0-9]{{0,15}}-[1-9][0-9]{{0,11}}$"
"""Pattern of an entry's id."""
_LOCATED = re.compile(f"(ent|hld|red)_({_ULID})-([a-z][a-z0-9]{{0,15}})-([1-9][0-9]{{0,11}})", re.ASCII)


def ulid(milliseconds: int, randomness: bytes) -> str:
    """A ULID of a time in ms since 1970 and 10 random bytes (github.com/ulid/spec)."""
    value = (milliseconds << 80) | int.from_bytes(randomness[:10], "big")
    return "".join(_ALPHABET[(value >> shift) & 31] for shift in range(125, -1, -5))


def is_account(text: str) -> bool:
    return _ACCOUNT.fullmatch(text) is not None


class Located(NamedTuple):
    """Where an entry, a hold or a redemption lives."""

    account: str
    wallet: str
    number: int


def locate(prefix: str, text: str) -> Located | None:
    """What an id with this prefix (``ent``, ``hld``, ``red``) points at; None when it is not one."""
    match = _LOCATED.fullmatch(text)
    if match is None or match[1] != prefix:
        return None
    return Located(f"mem_{match[2]}", match[3], int(match[4]))


def located(prefix: str, account: str, wallet: str, number: int) -> str:
    """The id for entry ``number`` seen as a ``prefix`` thing."""
    return f"{prefix}_{account.removeprefix('mem_')}-{wallet}-{number}"
