"""What a member is worth, and what that goes by, as the API shows it. Pure."""

from datetime import date
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from loyalty.churn.alert import Reason, Worth
from loyalty.churn.parameters import Attempt, Parameters, Quality
from loyalty.ledger.chain import Chain
from loyalty.ledger.views import iso
from loyalty.programs.terms import Program

Chance = Annotated[float, Meta(ge=0, le=1)]


class ReasonView(Struct, frozen=True):
    """The same in words."""

    en: str
    zh: str


class ValueView(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What to expect of a member in the next ``days`` days. Values are minor units of ``currency``; what the programme
    has no parameters for is left out.
    """

    member: str
    days: int
    currency: str
    purchases: Annotated[int, Meta(description="Purchases so far that stand")]
    first_on: str | UnsetType = UNSET
    last_on: str | UnsetType = UNSET
    alive: Annotated[Chance, Meta(description="Chance to buy at all again")] | UnsetType = UNSET
    returns: (
        Annotated[Chance, Meta(description="Chance to buy again within ``days`` of the last purchase")] | UnsetType
    ) = UNSET
    expected_purchases: float | UnsetType = UNSET
    expected_value: float | UnsetType = UNSET
    value_per_purchase: float | UnsetType = UNSET
    parameters: Annotated[int, Meta(description="Version of the parameters that this is by")] | UnsetType = UNSET
    alert_on: Annotated[str, Meta(description="When an alert is due, if nothing is bought")] | UnsetType = UNSET
    reason: ReasonView | UnsetType = UNSET


class PurchasingView(Struct, frozen=True):
    """BG/NBD, in weeks."""

    r: float
    alpha: float
    a: float
    b: float


class SpendingView(Struct, frozen=True):
    """Gamma-Gamma, in minor units."""

    p: float
    q: float
    gamma: float


class QualityView(Struct, frozen=True):
    """How well they foretold the days held back: the mean logarithm of how likely they made each member's purchases,
    the purchases in all, and those expected.
    """

    days: int
    members: int
    log_score: float
    bought: int
    expected: float


class ParametersView(Struct, frozen=True, omit_defaults=True):
    """One version. They were fitted on purchases up to ``until``."""

    version: int
    fitted_at: str
    until: str
    members: int
    purchasing: PurchasingView
    quality: QualityView
    spending: SpendingView | UnsetType = UNSET


class AttemptView(Struct, frozen=True, omit_defaults=True):
    """How the newest fit went: the version that it put in force, or why it put none."""

    at: str
    members: int
    version: int | UnsetType = UNSET
    refused: str | UnsetType = UNSET
    quality: QualityView | UnsetType = UNSET
    at_risk: (
        Annotated[float, Meta(description="Share of the members looked at that is at or below the policy's threshold")]
        | UnsetType
    ) = UNSET


class FitView(Struct, frozen=True, omit_defaults=True):
    """The parameters in force and the newest fit, as far as there are any."""

    parameters: ParametersView | UnsetType = UNSET
    newest: AttemptView | UnsetType = UNSET


def value_view(chain: Chain, program: Program, worth: Worth) -> ValueView:
    """A member as its outlook is."""
    state, seen = worth.state, worth.seen
    return ValueView(
        member=chain.account,
        days=seen.days,
        currency=program.currency,
        purchases=state.purchases,
        first_on=_day(state.first),
        last_on=_day(state.last),
        alive=_rounded(seen.alive),
        returns=_rounded(seen.returns),
        expected_purchases=_rounded(seen.purchases),
        expected_value=_rounded(seen.value, 2),
        value_per_purchase=_rounded(seen.each, 2),
        parameters=UNSET if worth.parameters is None or seen.alive is None else worth.parameters.version,
        alert_on=_day(worth.due or 0),
        reason=UNSET if worth.why is None else _reason(worth.why),
    )


def fit_view(parameters: Parameters | None, newest: Attempt | None) -> FitView:
    """What is in force, and the newest fit."""
    return FitView(
        UNSET if parameters is None else _parameters(parameters), UNSET if newest is None else _attempt(newest)
    )


def _parameters(found: Parameters) -> ParametersView:
    model, spending = found.purchasing, found.spending
    return ParametersView(
        version=found.version,
        fitted_at=iso(found.fitted),
        until=date.fromordinal(found.until).isoformat(),
        members=found.members,
        purchasing=PurchasingView(model.r, model.alpha, model.a, model.b),
        quality=_quality(found.quality),
        spending=UNSET if spending is None else SpendingView(spending.p, spending.q, spending.gamma),
    )


def _attempt(newest: Attempt) -> AttemptView:
    return AttemptView(
        at=iso(newest.at),
        members=newest.members,
        version=newest.version or UNSET,
        refused=newest.refused or UNSET,
        quality=UNSET if newest.quality is None else _quality(newest.quality),
        at_risk=UNSET if newest.quality is None else _rounded(newest.at_risk),
    )


def _quality(quality: Quality) -> QualityView:
    return QualityView(quality.days, quality.members, quality.log_score, quality.bought, quality.expected)


def _reason(why: Reason) -> ReasonView:
    return ReasonView(why.en, why.zh)


def _rounded(value: float | None, digits: int = 4) -> float | UnsetType:
    return UNSET if value is None else round(value, digits)


def _day(ordinal: int) -> str | UnsetType:
    return date.fromordinal(ordinal).isoformat() if ordinal else UNSET
