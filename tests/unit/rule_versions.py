"""Rule sets made of nodes and put in force as publishing does it, for tests of what reads them."""

from loyalty.rules import artifact, compiler
from loyalty.rules.evaluation import Evaluator, Facts
from loyalty.rules.ruleset import Names, Rule, RuleSet, encode
from loyalty.rules.schema import layout
from loyalty.rules.seal import derived, fingerprint, sealed_rules
from loyalty.rules.store import RuleStore
from loyalty.rules.tree import Arithmetic, Field, Number
from loyalty.rules.versions import Version, Written, new_id

PROGRAM = "grocer"
KEY = b"k" * 64
NOW = 1_750_000_000


def rate(points: int, program: str = PROGRAM) -> RuleSet:
    """``points`` for each whole unit of the currency, and nothing else."""
    amount = Field("line.amount", "line", layout().places["line.amount"].index, "number", 100)
    base = Rule("base", Names("base", "基础"), "line", Arithmetic("*", amount, Number(points)), scale=100)
    return RuleSet(program, f"rate-{points}", "EUR", "UTC", (base,), 0)


def gives(evaluator: Evaluator) -> int:
    """The points that 1.00 of a line gives."""
    fields = layout()
    order: list[object] = [None] * fields.order
    line: list[object] = [None] * fields.line
    line[fields.places["line.amount"].index] = 100
    (hit,) = evaluator.evaluate(Facts(739_000, order, [line])).hits
    assert hit.num % hit.den == 0
    return hit.num // hit.den


def built(
    store: RuleStore,
    rules: RuleSet,
    number: int,
    key: bytes = KEY,
    program: str = PROGRAM,
    content: bytes | None = None,
) -> Version:
    """A version's texts in the table, not yet in force. ``content`` stands for what was compiled."""
    signed = artifact.sign(content or compiler.build(rules), derived(key, "artifact", program, number))
    return Version(
        number=number,
        rule_set=new_id(number, bytes(10)),
        rules=fingerprint(encode(rules)),
        tree=store.put_blob(program, sealed_rules(rules, key, number)),
        artifact=store.put_blob(program, signed),
    )


def put_in_force(store: RuleStore, version: Version, program: str = PROGRAM, now: int = NOW) -> None:
    """Move what is in force to ``version``."""
    before = store.current(program)
    source = store.put_blob(program, b"")
    written = Written(version.rule_set, "rate", "", source, now, "cli_x", version.number, now, "cli_x")
    store.move(program, before, before.published(version, actor="cli_x", now=now), (version, written))


def publish(store: RuleStore, points: int, number: int, program: str = PROGRAM) -> Version:
    """Put a rate in force as version ``number``."""
    version = built(store, rate(points, program), number, program=program)
    put_in_force(store, version, program)
    return version
