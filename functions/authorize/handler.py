"""Tell the gateway who calls, from a client's key or a member's token.

Trigger: HTTP API authoriser, payload 2.0; the gateway keeps the answer 60 s for the same header. Output: the simple
answer {isAuthorized, context: {program, client, role, scopes, store?, member?, limit?}}. Failure: whatever is not a
live key or token is refused, never explained; if the table or the secret cannot be read, the call fails, for a
refusal would be kept.
"""

import re
import time
from typing import Any, Final

from functions.authorize.callers import who
from loyalty.runtime import observability

_BEARER: Final = re.compile(r"bearer +([A-Za-z0-9._-]{1,2048})", re.ASCII | re.IGNORECASE)


def lambda_handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    del context
    started = time.time()
    match = _BEARER.fullmatch(_header(event).strip())
    found = None if match is None else who(match[1], int(started))
    known = {name: found[name] for name in ("program", "client", "role")} if found else {}
    observability.record(
        "authorize",
        "known" if found else "refused",
        now_ms=int(started * 1000),
        milliseconds=int((time.time() - started) * 1000),
        **known,
    )
    return {"isAuthorized": False} if found is None else {"isAuthorized": True, "context": found}


def _header(event: dict[str, Any]) -> str:
    return str((event.get("headers") or {}).get("authorization", ""))
