"""What is asked of a rule set's conditions and earnings, whoever answers: compiled code, or the tree itself.

Both answers are the same; tests hold them equal. The engine turns them into awards.
"""

from typing import Any, NamedTuple, Protocol

from msgspec import Struct

from loyalty.rules.ruleset import RuleSet

Values = list[Any]
"""Facts in the order of ``schema.layout``: numbers as integers of their field's scale (money: minor units; declared
numbers: thousandths; others: whole), texts, bools, days as ordinals, times as seconds, ``days`` and ``member.segments``
as frozensets; None is NULL. ``base`` places are filled in by the evaluation.
"""


class Facts(NamedTuple):
    """What happened, and all that rules may know of it. ``lines`` is empty for an event."""

    day: int
    """Ordinal in the store's zone: says which rules are in force."""
    order: Values
    lines: list[Values]

    @property
    def is_event(self) -> bool:
        return not self.lines


class Hit(Struct, frozen=True, gc=False):
    """A rule whose condition was true: it gives ``num / den`` points, exact, and never less than zero.

    ``lines``, for a rule on lines, is what each line gives, in 1/den, summing up to ``num`` (0 for a line whose
    condition was not true); None for any other rule. A struct, for a named tuple takes three times as long to make.
    """

    rule: int
    """Place in ``RuleSet.rules``."""
    num: int
    den: int
    lines: tuple[int, ...] | None = None


class Failure(NamedTuple):
    """A rule that could not be worked out for this event: it gives nothing, and says why."""

    rule: int
    reason: str


class Evaluation(NamedTuple):
    """All hits and failures, in the order of the rules. The base rule is among the hits when it gives anything."""

    hits: list[Hit]
    failures: list[Failure]


class Evaluator(Protocol):
    """Conditions and earnings of one rule set."""

    @property
    def rules(self) -> RuleSet:
        """What is evaluated."""
        ...

    def evaluate(self, facts: Facts) -> Evaluation:
        """Work out every rule in force. Fills in the base places of ``facts``; raises nothing."""
        ...


class Loaded(NamedTuple):
    """A published version of a rule set, ready to be asked."""

    version: int
    evaluator: Evaluator
