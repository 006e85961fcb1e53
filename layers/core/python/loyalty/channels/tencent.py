"""What WeChat and WeCom have in common: JSON with an ``errcode``, an access token in the query, the same way to ask
again when it is refused.
"""

import json
from collections.abc import Mapping
from typing import Any, Final, Protocol

from loyalty.channels.access import Fetched, NotFetched
from loyalty.channels.channel import Kind, NoAnswer, NotSent, Outcome, Post, Reply, unanswered

TIMEOUT_S: Final = 8.0
JSON: Final = {"content-type": "application/json; charset=utf-8"}
MENDED_S: Final = 900
"""How long to wait for people: a wrong secret, an address that is not on the list, a right that is missing."""

Meaning = tuple[Kind, int]
"""What an error code means, and for how many seconds to wait."""


class Ask(Protocol):
    """A token of the service, given how to fetch one."""

    def __call__(self, account: str, fetch: "Fetcher", now: int, spoiled: str = "") -> str: ...


class Fetcher(Protocol):
    def __call__(self, force: bool, /) -> Fetched: ...


def read(reply: Reply) -> Mapping[str, Any] | None:
    """The answer of a request that came through; None when it is none of the provider's."""
    try:
        answer = json.loads(reply.body)
    except ValueError:
        return None
    return answer if reply.status == 200 and isinstance(answer, dict) else None


def stranger(reply: Reply) -> Outcome:
    """What an answer means that is not the provider's own: a gateway on the way may have passed the request on, unless
    it says that it did not.
    """
    code = f"http_{reply.status}"
    if reply.status == 429:
        return Outcome("later", code=code, retry_after_s=60)
    if 300 <= reply.status < 500:
        return Outcome("later", code=code, retry_after_s=MENDED_S)
    return Outcome("doubtful", code=code)


def sent(
    post: Post,
    url: str,
    body: Mapping[str, object],
    token: Ask,
    account: str,
    fetch: Fetcher,
    now: int,
    *,
    renew: frozenset[int],
) -> tuple[Mapping[str, Any] | None, Outcome]:
    """Post ``body`` with a token; once more with another when the provider refuses the first, for then it has taken
    nothing. The answer, or None and what that means.
    """
    spoiled = ""
    try:
        used = token(account, fetch, now)
        while True:
            reply = post(url, json.dumps(body, ensure_ascii=False).encode(), JSON, TIMEOUT_S, {"access_token": used})
            answer = read(reply)
            if answer is None:
                return None, stranger(reply)
            if spoiled or answer.get("errcode") not in renew:
                return answer, Outcome("accepted")
            spoiled, used = used, token(account, fetch, now, used)
    except NotFetched as error:
        return None, Outcome("later", code=error.code, retry_after_s=error.retry_after_s)
    except (NotSent, NoAnswer) as error:
        return None, unanswered(error)


def fetched(post: Post, url: str, body: bytes, query: Mapping[str, str] | None, method: str) -> Fetched:
    """A token out of the answer of the provider's own address for it. NotFetched."""
    try:
        reply = post(url, body, JSON, TIMEOUT_S, query, method)
    except (NotSent, NoAnswer) as error:
        raise NotFetched(str(error)) from error
    answer = read(reply)
    if answer is None:
        raise NotFetched(f"http_{reply.status}", 60 if reply.status == 429 else 0)
    token, lasts = answer.get("access_token"), answer.get("expires_in")
    if not isinstance(token, str) or not token or not isinstance(lasts, int):
        code = answer.get("errcode", "no_token")
        raise NotFetched(str(code), 0 if code == -1 else MENDED_S)
    return Fetched(token, lasts)


def verdict(code: object, meanings: Mapping[int, Meaning], now: int) -> Outcome:
    """What an error code means; one that is not known is a refusal, for the provider has said that it took nothing and
    not that it would.
    """
    kind, wait = meanings.get(code, ("refused", 0)) if isinstance(code, int) else ("doubtful", 0)
    return Outcome(kind, code=str(code), retry_after_s=tomorrow(now) if wait == TOMORROW else wait)


TOMORROW: Final = -1
"""Wait until the provider's next day: daily limits begin anew then."""


def tomorrow(now: int) -> int:
    """Seconds until midnight in China."""
    return 86_400 - (now + 28_800) % 86_400
