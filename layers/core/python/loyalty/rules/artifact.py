"""What functions load instead of a rule set's text: compiled code, packed and signed. Nothing of it is used before its
signature has been verified, for whoever could write one could have any code run.

::

    loyalty-signed 1 hmac-sha256 <key's name> <signature of all that follows and of the line up to here>\\n
    loyalty-rules 2 <Python> <bytecode> <SHA-256 of the tree> <SHA-256 of what follows> <length of rows> <of code>\\n
    <rows, deflated><code, deflated><tree, deflated>

``Python`` and ``bytecode`` are the cache tag and the magic number of the Python that compiled it: marshalled code is no
use to any other. Only the rows are needed to begin with. The code of each shape is marshalled by itself, and loaded for
the first day that needs it. The tree is the canonical JSON of the rule set; it is inflated when somebody asks for the
rules, and of them only those are read that are asked for.
"""

import hmac
import marshal
import zlib
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from importlib.util import MAGIC_NUMBER, cache_from_source
from typing import Any, Final

from loyalty.rules.compiled import Compiled
from loyalty.rules.ruleset import Outline, keep

FORMAT: Final = "2"
"""Changes whenever what is marshalled does, or what compiled code may call."""
TAG: Final = cache_from_source("rules.py").split(".")[-2]
BYTECODE: Final = MAGIC_NUMBER.hex()

_SIGNED: Final = "loyalty-signed 1 hmac-sha256"
_PACKED: Final = "loyalty-rules"
_MARSHAL: Final = 2
"""Without references between objects, which would make the bytes depend on how often an object happens to be used."""
_LONGEST_LINE: Final = 400
_WORDS: Final = 8


class Untrusted(Exception):
    """Not signed by any of the keys, or not what was signed."""


class Unfit(Exception):
    """Genuine, but made for another Python or in another format; the rule set has to be compiled again."""


def pack(shapes: Sequence[Any], windows: Sequence[Any], groups: Sequence[Any], known: Outline, tree: bytes) -> bytes:
    """What ``build`` gives: equal rule sets give equal bytes under the same Python. ``shapes`` are code objects,
    ``windows`` and ``groups`` what ``Compiled`` takes; ``tree`` is the canonical JSON of the rule set, ``known`` its
    outline.
    """
    rows = _deflated((tuple(windows), tuple(tuple(group) for group in groups), tuple(known)))
    code = _deflated(tuple(marshal.dumps(shape, _MARSHAL) for shape in shapes))
    content = rows + code + zlib.compress(tree, 9)
    return f"{_PACKED} {FORMAT} {TAG} {BYTECODE} {sha256(tree).hexdigest()} ".encode() + (
        f"{sha256(content).hexdigest()} {len(rows)} {len(code)}\n".encode() + content
    )


def _deflated(plain: Any) -> bytes:
    return zlib.compress(marshal.dumps(plain, _MARSHAL), 9)


def sign(content: bytes, key: bytes) -> bytes:
    """``content`` with the key's name and the signature before it."""
    line = f"{_SIGNED} {key_name(key)} "
    return line.encode() + _signature(key, line, content) + b"\n" + content


def key_name(key: bytes) -> str:
    """Which key it is, without giving it away: 16 hexadecimal digits."""
    return sha256(b"loyalty rules key\n" + key).hexdigest()[:16]


def verify(signed: bytes, keys: Sequence[bytes]) -> bytes:
    """The content of what one of the keys has signed; Untrusted for anything else."""
    end = signed.find(b"\n", 0, _LONGEST_LINE)
    start = signed.rfind(b" ", 0, max(end, 0)) + 1
    if start == 0:
        raise Untrusted("no signature")
    line, signature, content = signed[:start], signed[start:end], signed[end + 1 :]
    for key in keys:
        named = f"{_SIGNED} {key_name(key)} "
        if hmac.compare_digest(line, named.encode()) and hmac.compare_digest(
            signature, _signature(key, named, content)
        ):
            return content
    raise Untrusted("signed by none of the keys")


def load(signed: bytes, keys: Sequence[bytes]) -> Compiled:
    """The compiled rules of an artifact that one of ``keys`` has signed. Raises Untrusted or Unfit."""
    return unpack(verify(signed, keys))


def unpack(content: bytes) -> Compiled:
    """The compiled rules of content **that has been verified**. Raises Untrusted or Unfit."""
    line, _, packed = content.partition(b"\n")
    words = line[:_LONGEST_LINE].decode("ascii", "replace").split(" ")
    if words[0] != _PACKED or len(words) != _WORDS:
        raise Untrusted("no compiled rules")
    if words[1:4] != [FORMAT, TAG, BYTECODE]:
        raise Unfit(f"compiled in format {' '.join(words[1:4])}, this is {FORMAT} {TAG} {BYTECODE}")
    _, digest, of_rows, of_code = words[4:]
    if not hmac.compare_digest(sha256(packed).hexdigest(), digest):
        raise Untrusted("not the content that was packed")
    code = int(of_rows)
    tree = code + int(of_code)
    windows, groups, known = _loads(zlib.decompress(packed[:code]))
    shapes = cache(lambda: _loads(zlib.decompress(packed[code:tree])))
    return Compiled(
        lambda shape: _loads(shapes()[shape]),
        windows,
        groups,
        lambda: keep(zlib.decompress(packed[tree:]), Outline._make(known)),
    )


def _loads(verified: bytes) -> Any:
    return marshal.loads(verified)  # noqa: S302 - only reached with what has been verified


def tree_digest(content: bytes) -> str:
    """SHA-256 of the tree that content was compiled from, in hexadecimal; of content that has been verified."""
    return content.split(b" ", 5)[4].decode("ascii")


def _signature(key: bytes, line: str, content: bytes) -> bytes:
    return hmac.digest(key, line.encode() + content, "sha256").hex().encode()
