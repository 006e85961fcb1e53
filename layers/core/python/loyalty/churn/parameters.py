"""The models' parameters of one programme: fitted, tried on weeks held back, in force. Pure."""

import math
from typing import Final

from msgspec import Struct

from loyalty.churn.model import Purchasing, Spending

WEEKS_HELD_BACK: Final = 13
"""At most; a quarter of the time that there is, where that is less."""
_LEAST, _MOST = 1e-3, 1e4
"""A parameter outside of these is where the search ended, not what the purchases say."""


class Quality(Struct, frozen=True):
    """How well parameters foretold the days held back: the mean over ``members`` of the logarithm of how likely they
    made each member's purchases of those days, given the days before; the purchases in all, and those expected.
    """

    days: int
    members: int
    log_score: float
    bought: int
    expected: float


class Parameters(Struct, frozen=True):
    """One version. ``until`` is the last day whose purchases they were fitted on, an ordinal; values are minor units.

    ``spending`` is None where too few repeat buyers spent anything, or none could be fitted.
    """

    version: int
    fitted: int
    until: int
    members: int
    purchasing: Purchasing
    spending: Spending | None
    quality: Quality


def refusal(new: Parameters, by: str, score_of_last: float | None) -> str:
    """Why parameters are not put in force; "" when they are. ``score_of_last`` is the ``log_score`` that those in force
    reach on the very same days and members, None where there are none.

    Nobody can be seen to leave where ``a`` is as good as 0: P(alive) then says nothing, and alerts by it would never
    come. The chance to return still falls with silence, so alerts by that may use them.
    """
    model = new.purchasing
    if not all(_LEAST <= value <= _MOST for value in (model.r, model.alpha)):
        return "purchases do not tell members apart: r or alpha has no bounds"
    if by == "alive" and not all(_LEAST <= value <= _MOST for value in (model.a, model.b)):
        return "nobody can be seen to leave: a or b has no bounds"
    if not math.isfinite(new.quality.log_score):
        return "what was bought in the days held back is impossible by them"
    if score_of_last is not None and new.quality.log_score < score_of_last:
        return "the days held back are foretold better by the parameters in force"
    return ""


def sound(spending: Spending) -> Spending | None:
    """None where the mean of what members spend has no value (q at most 1), or has no bounds."""
    fine = spending.q > 1 + _LEAST and all(_LEAST <= value <= _MOST for value in (spending.p, spending.q))
    return spending if fine else None


class Attempt(Struct, frozen=True):
    """How a fit went: ``version`` is what it put in force, 0 when it was refused for ``refused``; what it found then is
    not kept but for its quality.
    """

    at: int
    version: int
    refused: str
    members: int
    quality: Quality | None = None
    at_risk: float = 0.0
    """Share of the members looked at whose chance is at or below the policy's threshold by them."""
