"""What would be earned, as it looks from outside. Pure."""

from msgspec import UNSET, Struct, UnsetType

from loyalty.rules.ruleset import Names


class Quoted(Struct, frozen=True):
    """What one rule would give; ``names`` is None where no rule set is published."""

    rule: str
    points: int
    names: Names | None = None


class Quote(Struct, frozen=True):
    """What a purchase or an event would earn. ``version`` is that of the rule set, 0 where none is published."""

    points: int
    awards: tuple[Quoted, ...]
    version: int = 0


class QuotedAward(Struct, frozen=True, omit_defaults=True):
    """What one rule would give, and what the rule is called."""

    rule: str
    points: int
    names: Names | UnsetType = UNSET


class QuoteView(Struct, frozen=True, omit_defaults=True):
    """``points`` in all, of which ``base`` come from the base rule. ``rules`` is the version of the rule set, and
    missing where none is published.

    A quote promises nothing: a purchase earns by the account and the campaigns' budgets as they are when it is posted.
    """

    points: int
    base: int
    awards: list[QuotedAward]
    rules: int | UnsetType = UNSET


def quote_view(quote: Quote) -> QuoteView:
    """A quote for the API."""
    return QuoteView(
        points=quote.points,
        base=sum(award.points for award in quote.awards if award.rule == "base"),
        awards=[QuotedAward(award.rule, award.points, award.names or UNSET) for award in quote.awards],
        rules=quote.version or UNSET,
    )
