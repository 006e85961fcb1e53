"""Why an entry says what it says: which rules, on what facts, what each gave, and what would have earned more.

Trigger: GET /v1/entries/{id}/explanation. Output: the explanation in English or Simplified Chinese, 200. Failure: a
problem. Nothing is written.
"""

from typing import Annotated, Final

from msgspec import Meta

from loyalty.errors import Invalid
from loyalty.explanations.phrases import LANGUAGES, Language
from loyalty.explanations.views import ExplanationView
from loyalty.ledger.chain import Chain
from loyalty.runtime.http import Answer, Operation, Request, serve
from loyalty.runtime.wiring import explanations

Lang = Annotated[
    Language, Meta(description="English or Simplified Chinese; else the first of Accept-Language, else en")
]
AcceptLanguage = Annotated[str, Meta(description="Which language to answer in, such as zh-CN,zh;q=0.9,en;q=0.8")]
DEFAULT: Final[Language] = "en"


def explanation(request: Request) -> Answer:
    place = request.located("ent", "ENTRY_NOT_FOUND")
    chain = Chain(request.caller.program, place.account, place.wallet)
    language = language_of(request.query.get("lang"), request.headers.get("accept-language", ""))
    return Answer(200, explanations().explain(chain, place.number, language), {"content-language": language})


def language_of(asked: str | None, accepted: str) -> Language:
    """The language that is asked for, else the most wanted of those accepted that there is, else English."""
    if asked is not None:
        for language in LANGUAGES:
            if asked == language:
                return language
        raise Invalid("REQUEST_INVALID", f"lang: {' or '.join(LANGUAGES)}", field="lang")
    wanted = sorted((_ranged(part) for part in accepted.split(",")[:20]), key=lambda ranged: -ranged[1])
    for tag, weight in wanted:
        for language in LANGUAGES:
            if weight and tag.partition("-")[0] == language:
                return language
    return DEFAULT


def _ranged(part: str) -> tuple[str, float]:
    """A language range and its weight, which is 1 unless it says otherwise; RFC 9110."""
    tag, _, weight = part.partition(";")
    name, _, value = weight.strip().partition("=")
    try:
        return tag.strip().lower(), float(value) if name == "q" else 1.0
    except ValueError:
        return tag.strip().lower(), 0.0


OPERATIONS = {
    "GET /v1/entries/{id}/explanation": Operation(
        explanation,
        ExplanationView,
        problems=("ENTRY_NOT_FOUND", "AUTH_MEMBER_FORBIDDEN"),
        query={"lang": Lang},
        headers={"Accept-Language": AcceptLanguage},
    ),
}

lambda_handler = serve("explain", OPERATIONS)
