"""What the table's stream brings, handed on to those who need it: who takes what, and in which shape.

Two functions follow the stream, for a shard of it serves no more: ``publish``, to whom order matters, and ``relay``,
which puts on a queue what the others need. They ask how things are when they get to it, so it does not matter to them
in which order, how late or how often something reaches them.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from loyalty.earning.store import order_of_item
from loyalty.ledger.store import entry_of_item
from loyalty.runtime.batch import Record
from loyalty.segments.profile import KEPT_ORDERS
from loyalty.segments.service import Bought
from loyalty.table import keys

Item = dict[str, Any]
Put = Callable[[str, Sequence[str]], int]
"""Puts messages on the queue of that name; how many it did not take."""


class Takes(Struct, frozen=True):
    """Types of the items that somebody wants to know of: when they are new, when they were changed."""

    new: tuple[str, ...]
    changed: tuple[str, ...] = ()

    def takes(self, event: str, kind: str) -> bool:
        return kind in {"INSERT": self.new, "MODIFY": self.changed}.get(event, ())


TAKES: Final = {
    "recover": Takes((keys.type_order, keys.type_wait)),
    "arm": Takes((keys.type_entry,)),
    "segment_members": Takes(
        (keys.type_entry, keys.type_order, keys.type_member, keys.type_sweep),
        (keys.type_order, keys.type_member, keys.type_sweep),
    ),
}
"""By function. Each has a queue of its name."""
NEW: Final = tuple(dict.fromkeys(kind for one in TAKES.values() for kind in one.new))
CHANGED: Final = tuple(dict.fromkeys(kind for one in TAKES.values() for kind in one.changed))
MAX_AMOUNTS: Final = 500
"""Of orders in one message. One order has no more, and so many have room in a message, which takes 256 KiB."""


class NotTaken(Exception):
    """A queue refused some messages; what they tell of is to be handed on again."""


class Touched(Struct, frozen=True, omit_defaults=True):
    """A member to whom something happened: orders, or anything else."""

    program: str
    account: str
    bought: tuple[Bought, ...] = ()
    otherwise: bool = False


class Relay:
    """Hands on, by ``put``."""

    def __init__(self, put: Put) -> None:
        self._put = put
        self._begun: set[str] = set()
        """Programmes of which an entry was handed on to be armed, and so is known to have nights."""

    def hand_on(self, records: Iterable[Record]) -> dict[str, int]:
        """How many messages went to whom. NotTaken when some did not: then all of them are to be handed on again."""
        taken: dict[str, list[Item]] = {name: [] for name in TAKES}
        for event, item in records:
            for name, items in taken.items():
                if TAKES[name].takes(event, item[keys.TYPE]):
                    items.append(item)
        naming, begun = self._naming(taken["arm"])
        messages = {
            "recover": _orders(taken["recover"]),
            "arm": naming,
            "segment_members": _touched(taken["segment_members"]),
        }
        refused = {name: self._put(name, bodies) for name, bodies in messages.items() if bodies}
        if any(refused.values()):
            raise NotTaken(", ".join(f"{name}: {count}" for name, count in refused.items() if count))
        self._begun |= begun
        return {name: len(bodies) for name, bodies in messages.items()}

    def _naming(self, items: Sequence[Item]) -> tuple[list[str], set[str]]:
        """The entries that name timers, which few do, and the first one of each programme; and these programmes."""
        found: list[str] = []
        begun: set[str] = set()
        for item in items:
            program = _program(item)
            try:
                idle = not entry_of_item(item).timers
            except Exception:  # noqa: BLE001 - whoever takes it up fails by it, and by nothing else
                idle = False
            if idle and program in self._begun | begun:
                continue
            begun.add(program)
            found.append(_whole(item))
        return found, begun


def _orders(items: Sequence[Item]) -> list[str]:
    """The key of an order is enough: it is looked at as it will be then, with the returns that wait for it."""
    return [json.dumps({"order": pk}, ensure_ascii=False) for pk in dict.fromkeys(item[keys.PK] for item in items)]


def _touched(items: Sequence[Item]) -> list[str]:
    """Once each member, however much happened, and each page of a sweep."""
    found: dict[tuple[str, str], Touched] = {}
    messages = []
    for item in items:
        try:
            one = touched(item)
        except Exception:  # noqa: BLE001 - as above
            one = None
        if one is None:
            messages.append(_whole(item))
            continue
        who = one.program, one.account
        both = _together(found[who], one) if who in found else one
        # Of more orders than a profile keeps in mind, those of a message that comes twice would count twice.
        if len(both.bought) > KEPT_ORDERS or sum(len(order.amounts) for order in both.bought) > MAX_AMOUNTS:
            messages.append(_encoded(found[who]))
            both = one
        found[who] = both
    return [*messages, *map(_encoded, found.values())]


def _together(one: Touched, other: Touched) -> Touched:
    bought = {(order.source, order.order_id): order for order in (*one.bought, *other.bought)}
    return Touched(one.program, one.account, tuple(bought.values()), one.otherwise or other.otherwise)


def _encoded(one: Touched) -> str:
    return msgspec.json.encode(one).decode()


def touched(item: Item) -> Touched | None:
    """To whom an item happened; None for what is nobody's own, as a page of a sweep."""
    kind = item[keys.TYPE]
    if kind == keys.type_entry:
        program, account, _ = keys.parse_chain(item[keys.PK])
        return Touched(program, account, otherwise=True)
    if kind == keys.type_member:
        return Touched(_program(item), item[keys.SK], otherwise=True)
    if kind == keys.type_order:
        order = order_of_item(item)
        amounts: dict[str, int] = {}
        for line in order.lines:
            amounts[line.category] = amounts.get(line.category, 0) + line.amount
        return Touched(_program(item), order.account, (Bought(order.source, order.order_id, tuple(amounts.items())),))
    return None


def _program(item: Mapping[str, Any]) -> str:
    return str(item[keys.PK]).split("#", 1)[0]


def _whole(item: Item) -> str:
    return json.dumps({"item": item}, ensure_ascii=False)
