"""Everything that can be wrong, as the caller sees it.

::

    Problem                      one code, one HTTP status, a sentence, and figures a till can use
    ├── Invalid                  the request itself is wrong; names the field
    ├── Forbidden                the caller may not do this
    ├── NotFound                 what it names does not exist in the caller's programme
    ├── Refused                  understood, but the account's state does not allow it
    ├── Conflict                 somebody else, or the same key, was first
    └── Unavailable              the storage could not answer in time; the same request may be sent again
    Corrupt                      stored entries contradict each other: never answered from, always alarmed

Codes are ``AREA_REASON``; ``CODES`` gives each its one status and title (RFC 9457 ``application/problem+json``).
"""

from typing import Final

CODES: Final[dict[str, tuple[int, str]]] = {
    "REQUEST_MALFORMED": (400, "The body is not valid JSON"),
    "REQUEST_INVALID": (400, "A field is missing or wrong"),
    "REQUEST_KEY_MISSING": (400, "The Idempotency-Key header is missing or wrong"),
    "REQUEST_TOO_LARGE": (413, "The request is too large"),
    "REQUEST_RATE_LIMITED": (429, "Too many requests"),
    "REQUEST_VERSION_MISSING": (428, "The If-Match header is missing"),
    "ROUTE_NOT_FOUND": (404, "There is no such route"),
    "AUTH_SCOPE_MISSING": (403, "This token may not do that"),
    "AUTH_STORE_FORBIDDEN": (403, "This client belongs to another store"),
    "AUTH_MEMBER_FORBIDDEN": (403, "This token speaks for another member"),
    "AUTH_PROGRAM_FORBIDDEN": (403, "This client belongs to another programme"),
    "IDEMPOTENCY_KEY_REUSED": (409, "This idempotency key was used for another request"),
    "MEMBER_NOT_FOUND": (404, "There is no such member"),
    "MEMBER_IDENTITY_TAKEN": (409, "This identity belongs to another member"),
    "MEMBER_VERSION_CONFLICT": (412, "The member was changed meanwhile"),
    "ACCOUNT_FROZEN": (409, "The account is frozen"),
    "ACCOUNT_CLOSED": (409, "The account is closed"),
    "ACCOUNT_STATUS_UNCHANGED": (409, "The account is in that state already"),
    "ACCOUNT_NOT_EMPTY": (409, "The account still holds or owes points"),
    "ACCOUNT_BUSY": (409, "Too many writers on this account at once"),
    "ACCOUNT_FULL": (422, "The account cannot hold more"),
    "WALLET_NOT_FOUND": (404, "The programme has no such wallet"),
    "POINTS_INSUFFICIENT": (422, "Not enough points"),
    "RENEWAL_NOT_OFFERED": (422, "The programme does not renew points"),
    "RENEWAL_NOTHING_DUE": (409, "Nothing ends so soon that it could be renewed"),
    "HOLD_NOT_FOUND": (404, "There is no such hold"),
    "HOLD_NOT_ACTIVE": (409, "The hold is no longer active"),
    "HOLD_EXCEEDED": (422, "More than the hold has left"),
    "HOLD_LIMIT_REACHED": (422, "Too many holds at once"),
    "OFFERS_LIMIT_REACHED": (422, "Too many multipliers at once"),
    "CAMPAIGN_BUDGET_EXHAUSTED": (422, "The campaign's budget does not reach"),
    "HOLD_ALLOWANCE_INVALID": (403, "The offline allowance is missing, forged or of another hold"),
    "PURCHASE_NOT_FOUND": (404, "There is no such purchase"),
    "PURCHASE_CONFLICT": (409, "This order is recorded with other content"),
    "PURCHASE_CURRENCY_UNSUPPORTED": (422, "The programme does not earn in this currency"),
    "RETURN_EXCEEDS_PURCHASE": (422, "More is returned than was bought"),
    "EVENT_TYPE_UNKNOWN": (422, "The programme has no bonus for this event"),
    "EVENT_FIELD_INVALID": (422, "A field of the event is missing or wrong"),
    "EVENT_ALREADY_COUNTED": (409, "This event was counted with other content"),
    "EVENT_ALREADY_DECIDED": (409, "The event was decided otherwise"),
    "REDEMPTION_NOT_FOUND": (404, "There is no such redemption"),
    "REDEMPTION_ALREADY_CANCELLED": (409, "The redemption is cancelled already"),
    "TRANSFER_SAME_ACCOUNT": (422, "The two accounts are the same"),
    "ENTRY_NOT_FOUND": (404, "There is no such entry"),
    "CLIENT_NOT_FOUND": (404, "There is no such client"),
    "CLIENT_REVOKED": (409, "The client is revoked"),
    "CLIENT_LAST_OPERATOR": (409, "The programme would be left without an operator"),
    "CLIENT_RIGHTS_EXCEEDED": (403, "A client deals in no rights that it does not have itself"),
    "PROGRAM_NOT_FOUND": (404, "There is no such programme"),
    "PROGRAM_VERSION_CONFLICT": (412, "The policy was changed meanwhile"),
    "CLOCK_SANDBOX_ONLY": (409, "The programme goes by the world's clock"),
    "CLOCK_BACKWARDS": (422, "A clock never goes back"),
    "TIER_UNKNOWN": (422, "The programme has no such tier"),
    "TIER_NOT_HERE": (409, "The programme's policy has tiers, which are set elsewhere"),
    "RULE_SET_NOT_FOUND": (404, "There is no such rule set"),
    "RULE_SET_INVALID": (422, "The rule set is wrong"),
    "RULE_SET_EXPECTATION_FAILED": (422, "The rule set gives something else than it expects"),
    "RULE_SET_NOT_SIMULATED": (409, "The rule set has a guard and no finished simulation"),
    "RULE_SET_GUARD_EXCEEDED": (422, "The rule set changes the points given by more than its guard"),
    "RULE_SET_BUDGET_TOO_LOW": (422, "More of a campaign's budget is taken than the rule set gives it"),
    "RULE_SET_VERSION_CONFLICT": (412, "Another rule set was put in force meanwhile"),
    "RULE_SET_NOT_CURRENT": (409, "The rule set is not the one in force"),
    "SIMULATION_NOT_FOUND": (404, "There is no such simulation"),
    "SEGMENT_NOT_FOUND": (404, "There is no such segment"),
    "SEGMENTS_INVALID": (422, "The segments are wrong"),
    "SEGMENTS_EXPECTATION_FAILED": (422, "A segment has other members than it expects"),
    "SEGMENTS_VERSION_CONFLICT": (412, "The segments were changed meanwhile"),
    "SEGMENT_IN_USE": (409, "A campaign goes by a segment that would be taken away"),
    "CAMPAIGN_NOT_FOUND": (404, "There is no such campaign"),
    "CAMPAIGN_SEGMENT_GONE": (422, "The campaign goes by a segment that is not there any more"),
    "CAMPAIGN_STATE_CONFLICT": (409, "The campaign is not in a state for that"),
    "CAMPAIGN_NOT_MEASURED": (404, "Nothing of this campaign is measured yet"),
    "CAMPAIGNS_INVALID": (422, "The campaigns are wrong"),
    "CAMPAIGNS_EXPECTATION_FAILED": (422, "A campaign does something else than it expects"),
    "CONTACT_POLICY_VERSION_CONFLICT": (412, "The contact policy was changed meanwhile"),
    "CONTACT_VERSION_CONFLICT": (412, "The member's contact was changed meanwhile"),
    "MESSAGE_NOT_FOUND": (404, "There is no such message"),
    "WEBHOOK_NOT_FOUND": (404, "There is no such webhook"),
    "WEBHOOK_LIMIT_REACHED": (409, "The programme has too many webhooks"),
    "WEBHOOK_OFF": (409, "The webhook is switched off"),
    "WEBHOOK_URL_REFUSED": (422, "Nothing is sent to that address"),
    "STORAGE_UNAVAILABLE": (503, "The storage did not answer; send the same request again"),
    "INTERNAL_ERROR": (500, "Something went wrong on our side"),
}


Figure = int | str | list[dict[str, int | str]]


class Problem(Exception):
    """Base of all that a caller is told.

    ``field`` names the offending part of the request (``lines[0].amount``), ``retry_after`` is in seconds, and
    ``figures`` are further members of the answer, such as ``missing_points``.
    """

    def __init__(
        self, code: str, detail: str, *, field: str | None = None, retry_after: int | None = None, **figures: Figure
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.field = field
        self.retry_after = retry_after
        self.figures = figures
        self.status, self.title = CODES[code]


class Invalid(Problem):
    """The request is wrong in itself."""


class Forbidden(Problem):
    """The caller may not."""


class NotFound(Problem):
    """No such thing in the caller's programme."""


class Refused(Problem):
    """The account's state does not allow it."""


class Conflict(Problem):
    """Somebody was first."""


class Unavailable(Problem):
    """Try again: nothing is lost, and nothing is done twice."""


class Corrupt(Exception):
    """Stored entries contradict each other."""
