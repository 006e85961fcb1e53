"""What each role may do. Pure; the scopes are those of ``loyalty.routes``, and those that one part of a route needs.

====================  ====  ====  ========  ========  =======  ======
scope                 till  shop  operator  marketer  auditor  member
====================  ====  ====  ========  ========  =======  ======
purchases:write       x     x     x
events:write          x     x     x
returns:write         x     x     x
holds:write           x     x     x
redemptions:write     x     x     x                            x
redemptions:cancel    x     x     x
members:read          x     x     x                   x        x
members:write         x     x     x
identities:write            x     x
standing:write                    x
quotes:read           x     x     x                            x
balance:read          x     x     x                   x        x
tokens:write                x     x
members:list                      x                   x
accounts:write                    x
adjustments:write                 x
transfers:write                   x
ledger:verify                     x                   x
value:read                        x                   x
clients:read                      x                   x
clients:write                     x
program:read                      x         x         x
program:write                     x
clock:write                       x
inbox:read                  x     x                   x        x
inbox:write                 x     x                            x
messages:read                     x                   x
messages:write                    x
rules:read                        x         x         x
rules:write                       x         x
rules:publish                     x         x
webhooks:read                     x                   x
webhooks:write                    x
segments:read                     x         x         x
segments:write                    x         x
contacts:read               x     x                   x        x
contacts:write              x     x                            x
outreach:read                     x         x         x
outreach:write                    x         x
campaigns:read                    x         x         x
campaigns:write                   x         x
====================  ====  ====  ========  ========  =======  ======

``member`` is the role of a member's own token, which reaches that one member; no client has it.
"""

from collections.abc import Iterable
from typing import Final

from loyalty.errors import Invalid

LIST_MEMBERS: Final = "members:list"
"""Beside members:read: to see all members, not just the one who is named."""
WRITE_IDENTITIES: Final = "identities:write"
"""Beside members:write: to give a member another identity, or take one, for who holds a member's card is the member."""
WRITE_STANDING: Final = "standing:write"
"""Beside members:write: to set a member's tier and segments, which rules pay for."""
WRITE_CONTACT: Final = "contacts:write"
"""To change what a member agreed to; whoever only reads sees no link that does."""
WITHIN_ROUTES: Final = frozenset({LIST_MEMBERS, WRITE_IDENTITIES, WRITE_STANDING})
"""Scopes that no route asks for as a whole."""

_TILL: Final = frozenset(
    {
        "purchases:write",
        "events:write",
        "returns:write",
        "holds:write",
        "redemptions:write",
        "redemptions:cancel",
        "members:read",
        "members:write",
        "balance:read",
        "quotes:read",
    }
)
_SHOP: Final = _TILL | {
    "tokens:write",
    "inbox:read",
    "inbox:write",
    WRITE_IDENTITIES,
    "contacts:read",
    WRITE_CONTACT,
}
_AUDITOR: Final = frozenset(
    {
        "members:read",
        LIST_MEMBERS,
        "balance:read",
        "ledger:verify",
        "value:read",
        "clients:read",
        "inbox:read",
        "messages:read",
        "program:read",
        "rules:read",
        "segments:read",
        "campaigns:read",
        "contacts:read",
        "webhooks:read",
        "outreach:read",
    }
)
_MARKETER: Final = frozenset(
    {
        "program:read",
        "rules:read",
        "rules:write",
        "rules:publish",
        "segments:read",
        "segments:write",
        "campaigns:read",
        "campaigns:write",
    }
    | {"outreach:read", "outreach:write"}
)
"""Decides what earns how much, and reaches no member."""
_OPERATOR: Final = (
    _SHOP
    | _AUDITOR
    | _MARKETER
    | {
        "accounts:write",
        "adjustments:write",
        "transfers:write",
        "clients:write",
        "program:write",
        "clock:write",
        "messages:write",
        "webhooks:write",
        WRITE_STANDING,
    }
)
ROLES: Final[dict[str, frozenset[str]]] = {
    "till": _TILL,
    "shop": _SHOP,
    "operator": _OPERATOR,
    "marketer": _MARKETER,
    "auditor": _AUDITOR,
}
MEMBER_ROLE: Final = "member"
MEMBER_SCOPES: Final = frozenset({"members:read", "balance:read", "redemptions:write", "quotes:read"}) | {
    "inbox:read",
    "inbox:write",
    "contacts:read",
    WRITE_CONTACT,
}


def narrowed(role: str, scopes: Iterable[str]) -> frozenset[str]:
    """The role's scopes, or those of them that are named; Invalid names one that the role has not."""
    granted = ROLES[role]
    asked = tuple(scopes)
    for position, scope in enumerate(asked):
        if scope not in granted:
            name = f"scopes[{position}]"
            raise Invalid("REQUEST_INVALID", f"{name}: a {role} may have {', '.join(sorted(granted))}", field=name)
    return frozenset(asked) or granted
