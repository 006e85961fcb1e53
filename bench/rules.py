"""Rules per purchase, beside other engines on the same rules and purchases, in one run and turn by turn.

CPU time, medians of turns, the collector off while the clock runs (as ``timeit`` has it). The others are given the
rules of the day only; ours finds them. Before anything is timed, all of them must have come to the same points for
the same purchases. ``python -m bench.rules`` measures this part alone.
"""

import gc
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from statistics import median
from time import process_time
from typing import Final, NamedTuple

from bench import grocer
from bench.peers import ENGINES, Ask, Context, context, given, in_force, points
from bench.report import Row, table
from loyalty.rules import artifact
from loyalty.rules.compiled import Compiled
from loyalty.rules.compiler import build
from loyalty.rules.evaluation import Facts
from loyalty.rules.ruleset import Rule, RuleSet

KEY: Final = b"the bench's own key, of 32 bytes"
SEED: Final = 20_260_702
STORED: Final = (10, 100, 1_000)
TARGETED: Final = {1_000: 10.0, 10_000: 60.0}
"""Rules, and the bound in microseconds."""
PER_PURCHASE: Final = 25.0
SHARE_OF_THE_FASTEST: Final = 0.1
LOAD_MS: Final = 1.0
PURCHASES: Final = 100
ROUNDS: Final = 5
OUR_ROUNDS: Final = 25
"""Times that a turn works through the purchases: about as long for the fastest of the others as for ours."""
TURNS: Final = 21
SLOW_PURCHASES: Final = 2
SLOW_TURNS: Final = 3
LOADS: Final = 101
BUILDS: Final = 5


class Contestant(NamedTuple):
    """Something that works through purchases, and what it took for one, in seconds, turn by turn."""

    name: str
    work: Callable[[], None]
    purchases: int
    turns: int
    took: list[float]


def measure() -> list[Row]:
    """All rows about rules."""
    return [*_beside_others(), *_alone(), *_loading()]


def _loaded(rules: RuleSet) -> Compiled:
    return artifact.load(artifact.sign(build(rules), KEY), [KEY])


def _beside_others() -> list[Row]:
    purchases = grocer.purchases(PURCHASES, SEED)
    rules = grocer.stored(STORED[-1], SEED)
    ours = _loaded(rules)
    active = in_force(rules, purchases[0].day)
    expected = [_points(ours, rules, purchase) for purchase in purchases]
    contexts = [context(purchase) for purchase in purchases]
    contestants = [_ours("ours", ours, purchases)]
    for engine in ENGINES:
        ask = engine.prepare(active)
        known = contexts[:SLOW_PURCHASES] if engine.slow else contexts
        for facts, right in zip(known, expected, strict=False):
            if points(given(ask(facts))) != right:
                raise AssertionError(f"{engine.name} comes to other points")
        turns, rounds = (SLOW_TURNS, 1) if engine.slow else (TURNS, ROUNDS)
        contestants.append(Contestant(engine.name, _asking(ask, known, rounds), len(known) * rounds, turns, []))
    took = _turn_by_turn(contestants)
    mine, others = took.pop("ours"), took
    what = f"{STORED[-1]:,} stored rules, {len(active)} in force, {grocer.LINE_SHARE} % on lines"
    return [
        Row(f"rules, a purchase: {what}", round(mine, 2), "µs", PER_PURCHASE),
        Row(
            "rules, the same over the fastest other engine",
            round(mine / min(others.values()), 4),
            "times",
            SHARE_OF_THE_FASTEST,
        ),
        *(Row(f"rules, the same: {name}", round(value, 1), "µs") for name, value in others.items()),
    ]


def _alone() -> list[Row]:
    purchases = grocer.purchases(PURCHASES, SEED)
    few = {f"{count:,} stored rules": (grocer.stored(count, SEED), None) for count in STORED[:-1]}
    aimed = {
        f"{count:,} rules for 3 of {len(grocer.STORES)} stores each": (grocer.targeted(count, SEED), bound)
        for count, bound in TARGETED.items()
    }
    sets = few | aimed
    took = _turn_by_turn([_ours(name, _loaded(rules), purchases) for name, (rules, _) in sets.items()])
    return [Row(f"rules, a purchase: {name}", round(took[name], 2), "µs", bound) for name, (_, bound) in sets.items()]


def _loading() -> list[Row]:
    """The bound is for rules as a grocer has them; the others show what it costs when hardly two are alike."""
    alike, different = grocer.stored(STORED[-1], SEED), grocer.different(STORED[-1], SEED)
    return [
        *_loading_of(f"{STORED[-1]:,} rules", alike, LOAD_MS),
        *_loading_of(f"{STORED[-1]:,} rules of as many kinds", different, None),
    ]


def _loading_of(what: str, rules: RuleSet, bound: float | None) -> list[Row]:
    signed = artifact.sign(build(rules), KEY)
    content = artifact.verify(signed, [KEY])
    purchase = grocer.purchases(1, SEED)[0]
    times: dict[str, list[float]] = {"verify": [], "load": [], "first": [], "award": [], "read": [], "build": []}
    with _without_collecting():
        for _ in range(LOADS):
            times["verify"].append(_seconds(lambda: artifact.verify(signed, [KEY])))
            times["load"].append(_seconds(lambda: artifact.unpack(content)))
            loaded = artifact.unpack(content)
            times["first"].append(_seconds(partial(loaded.evaluate, purchase)))
            times["award"].append(_seconds(partial(_award, loaded, purchase)))
            times["read"].append(_seconds(partial(list, loaded.rules.rules)))
        times["build"] += [_seconds(lambda: build(rules)) for _ in range(BUILDS)]
    ms = {name: round(median(found) * 1_000, 3) for name, found in times.items()}
    return [
        Row(f"rules, artifact of {what}: load once verified", ms["load"], "ms", bound),
        Row(f"rules, artifact of {what}: verify", ms["verify"], "ms"),
        Row(f"rules, artifact of {what}: first purchase of a day", ms["first"], "ms"),
        Row(f"rules, artifact of {what}: read for the first award", ms["award"], "ms"),
        Row(f"rules, artifact of {what}: read all others", ms["read"], "ms"),
        Row(f"rules, artifact of {what}: build", ms["build"], "ms"),
        Row(f"rules, artifact of {what}: size", round(len(signed) / 1_000, 1), "KB"),
    ]


def _award(loaded: Compiled, purchase: Facts) -> tuple[frozenset[str], list[Rule]]:
    """What an award reads of the rule set: what it speaks of, and the rules that the purchase has met."""
    rules = loaded.rules
    return rules.spoken_of_member, [rules.rules[hit.rule] for hit in loaded.evaluate(purchase).hits]


def _points(ours: Compiled, rules: RuleSet, purchase: Facts) -> list[tuple[int, int]]:
    """(place among the rules in force beside the base, what it gives); also fills in the base, which the others are
    given.
    """
    found = ours.evaluate(purchase)
    if found.failures:
        raise AssertionError(f"rules of the bench do not fail: {found.failures}")
    known = {
        place: number
        for number, place in enumerate(
            place
            for place in range(len(rules.rules))
            if place != rules.base and _is_in_force(rules, place, purchase.day)
        )
    }
    return [(known[hit.rule], hit.num) for hit in found.hits if hit.rule != rules.base]


def _is_in_force(rules: RuleSet, place: int, day: int) -> bool:
    return any(first <= day <= last for first, last in rules.rules[place].windows)


def _ours(name: str, ours: Compiled, purchases: Sequence[Facts]) -> Contestant:
    def work() -> None:
        evaluate = ours.evaluate
        for _ in range(OUR_ROUNDS):
            for purchase in purchases:
                evaluate(purchase)

    return Contestant(name, work, len(purchases) * OUR_ROUNDS, TURNS, [])


def _asking(ask: Ask, contexts: Sequence[Context], rounds: int) -> Callable[[], None]:
    def work() -> None:
        for _ in range(rounds):
            for facts in contexts:
                given(ask(facts))

    return work


def _turn_by_turn(contestants: Sequence[Contestant]) -> dict[str, float]:
    """Microseconds for one purchase, by name: the median of the turns after the first, which warms up."""
    with _without_collecting():
        for turn in range(1 + max(one.turns for one in contestants)):
            for one in contestants:
                if turn <= one.turns:
                    one.took.append(_seconds(one.work) / one.purchases)
    return {one.name: median(one.took[1:]) * 1e6 for one in contestants}


def _seconds(work: Callable[[], object]) -> float:
    began = process_time()
    work()
    return process_time() - began


@contextmanager
def _without_collecting() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


if __name__ == "__main__":
    sys.stdout.write(table(measure()) + "\n")
