"""How often one may look, and at which error rate each time. Pure.

The sums of a campaign are not those of ever more members: it is the same members again, some days later. Who has bought
stays one who has bought, who buys much goes on to, and what comes back is taken off, so neither are the steps between
looks independent nor is the effect they measure the same. Boundaries that are drawn for such steps (group-sequential
ones, and confidence sequences) promise nothing here. What does hold, however looks hang together, is Boole's
inequality: the chance that any of them errs is at most the sum of their chances. So the error rate is *divided*, most
of it for the end (as Haybittle 1971 and Peto et al. 1976 divide it), the rest evenly among the looks planned.
"""

from typing import Final

LOOKS_SHARE: Final = 0.2
"""Part of the error rate that all looks before the end have together."""


def at_look(error_rate: float, planned: int) -> float:
    """The error rate of one look of ``planned``; ValueError where none was planned: what was not set aside cannot be
    spent.
    """
    if planned < 1:
        raise ValueError("no looks before the end were planned")
    return error_rate * LOOKS_SHARE / planned


def at_end(error_rate: float, planned: int) -> float:
    """What is left of the error rate for the end; all of it where no looks were planned, whether or not they were
    taken where they were.
    """
    return error_rate * (1 - LOOKS_SHARE) if planned else error_rate


def shared(error_rate: float, claims: int) -> float:
    """The error rate of each of so many claims that none of them shall be wrong (Bonferroni)."""
    return error_rate / max(1, claims)


def pairs(variants: int) -> int:
    """Comparisons of so many variants with each other."""
    return variants * (variants - 1) // 2
