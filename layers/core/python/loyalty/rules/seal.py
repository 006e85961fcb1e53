"""Seals: what is stored for running functions carries a signature, which they check before they look at the rest.

HMAC-SHA256. The key is derived from the secret for what is sealed: a version's artifact passes for no other version's,
no other programme's and for no tree.
"""

from collections.abc import Sequence
from hashlib import sha256
from hmac import compare_digest, digest
from typing import Final, Literal
from zlib import compress, decompress

from loyalty.rules.ruleset import RuleSet, decode, encode

_SIGNATURE: Final = 32

What = Literal["tree", "artifact"]


class Unsealed(Exception):
    """Nobody who holds one of the keys sealed this."""


def derived(key: bytes, what: What, program: str, version: int) -> bytes:
    """The key for one thing of one version."""
    return digest(key, f"{what} {program} {version}".encode(), "sha256")


def seal(content: bytes, key: bytes) -> bytes:
    """``content`` with its signature before it."""
    return digest(key, content, "sha256") + content


def unseal(sealed: bytes, keys: Sequence[bytes]) -> bytes:
    """The content that one of ``keys`` sealed; Unsealed."""
    signature, content = sealed[:_SIGNATURE], sealed[_SIGNATURE:]
    for key in keys:
        if compare_digest(signature, digest(key, content, "sha256")):
            return content
    raise Unsealed("no key fits")


def fingerprint(content: bytes) -> str:
    """SHA-256, in hexadecimal digits: what stored texts are named by."""
    return sha256(content).hexdigest()


def sealed_rules(rules: RuleSet, key: bytes, number: int) -> bytes:
    """The checked rules of version ``number``, as they are kept."""
    return seal(compress(encode(rules)), derived(key, "tree", rules.program, number))


def opened_rules(sealed: bytes, keys: Sequence[bytes], program: str, number: int) -> RuleSet:
    """Inverse of ``sealed_rules``; Unsealed when they are not that version's, Corrupt when they cannot be read."""
    return decode(decompress(unseal(sealed, [derived(key, "tree", program, number) for key in keys])))
