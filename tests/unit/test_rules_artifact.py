"""An artifact is used when one of the keys has signed it and this Python can run it, and touched by nothing before."""

import os
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256

import msgspec
import pytest

from loyalty.errors import Corrupt
from loyalty.rules import artifact, compiler
from loyalty.rules.artifact import Unfit, Untrusted
from loyalty.rules.ruleset import encode, keep, outline
from loyalty.rules.tree import And, Compare, In, Number, Text
from tests.unit.rule_trees import Trees, fact, rule, rule_set

KEY = b"this year's key, thirty-two byte"
PREVIOUS = b"last year's key, thirty-two byte"
OTHER = b"somebody's key, thirty-two bytes"
RULES = rule_set(
    [
        rule("order", Number(5), Compare("=", fact("channel"), Text("store"))),
        rule(
            "line",
            Number(1),
            And(
                (
                    In(fact("line.brand"), tuple(Text(brand) for brand in "dcba")),
                    Compare(">", fact("amount"), Number(3)),
                )
            ),
        ),
    ]
)
CONTENT = compiler.build(RULES)
SIGNED = artifact.sign(CONTENT, KEY)


def changed(change: Callable[[bytes], bytes]) -> bytes:
    """Changed before it was signed, so that only what follows the signature can tell."""
    content = change(CONTENT)
    assert content != CONTENT
    return artifact.sign(content, KEY)


@pytest.fixture
def untouched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails a test in which anything is unmarshalled or inflated."""

    def touched(*_: object) -> None:
        raise AssertionError("used before it was verified")

    monkeypatch.setattr("loyalty.rules.artifact.marshal.loads", touched)
    monkeypatch.setattr("loyalty.rules.artifact.zlib.decompress", touched)


@pytest.mark.parametrize("seed", range(3))
def test_what_was_loaded_answers_as_what_was_built(seed: int) -> None:
    trees = Trees(seed)
    rules = trees.rules(40)
    loaded = artifact.load(artifact.sign(compiler.build(rules), KEY), [KEY])
    built = compiler.compiled(rules)
    assert loaded.rules == built.rules == rules
    for _ in range(40):
        of, again = trees.facts(), trees.facts()
        again = of._replace(order=list(of.order), lines=[list(line) for line in of.lines])
        assert loaded.evaluate(of) == built.evaluate(again)


@pytest.mark.parametrize("seed", range(3))
def test_rules_that_are_read_one_by_one_are_the_rules(seed: int) -> None:
    rules = Trees(seed).rules(20)
    read = artifact.unpack(compiler.build(rules)).rules
    assert read.spoken_of_member == rules.spoken_of_member
    assert [read.rules[place] for place in (20, 3, -1, 3)] == [rules.rules[place] for place in (20, 3, -1, 3)]
    assert read.rules[3] is read.rules[3]
    assert read.rules[2:5] == rules.rules[2:5]
    assert (*read.rules,) == rules.rules
    assert read == rules
    assert hash(read.rules) == hash(tuple(read.rules))
    assert read != msgspec.structs.replace(rules, rules=rules.rules[:-1])
    assert encode(read) == encode(rules)
    with pytest.raises(IndexError):
        read.rules[21]


def test_a_rule_set_named_as_its_own_json_is_read_as_any() -> None:
    named = msgspec.structs.replace(RULES, name='"rules":[{}]', member_attributes={"rules": "text"})
    assert artifact.unpack(compiler.build(named)).rules == named
    none = msgspec.structs.replace(named, rules=())
    assert keep(encode(none), outline(none)) == none


def test_a_broken_rule_is_corrupt_and_the_others_are_read() -> None:
    tree, known = encode(RULES), outline(RULES)
    broken = keep(tree[: known.ends[1] - 1] + b"]" + tree[known.ends[1] :], known)
    assert broken.rules[2] == RULES.rules[2]
    with pytest.raises(Corrupt):
        broken.rules[1]


@pytest.mark.usefixtures("untouched")
def test_every_flipped_byte_is_refused() -> None:
    for place in range(len(SIGNED)):
        for bit in (0x01, 0x20, 0x80):
            flipped = SIGNED[:place] + bytes([SIGNED[place] ^ bit]) + SIGNED[place + 1 :]
            with pytest.raises(Untrusted):
                artifact.load(flipped, [KEY])


@pytest.mark.usefixtures("untouched")
def test_whatever_is_cut_off_or_added_is_refused() -> None:
    for short in (SIGNED[:length] for length in range(len(SIGNED))):
        with pytest.raises(Untrusted):
            artifact.load(short, [KEY])
    for long in (SIGNED + b"\n", b" " + SIGNED, SIGNED + SIGNED, b"\n" + SIGNED, CONTENT, b"\n", b" \n", b"x" * 1_000):
        with pytest.raises(Untrusted):
            artifact.load(long, [KEY])


@pytest.mark.usefixtures("untouched")
def test_a_key_that_is_not_ours_signs_nothing() -> None:
    for keys in ([OTHER], [OTHER, PREVIOUS], []):
        with pytest.raises(Untrusted):
            artifact.load(SIGNED, keys)
    named_ours = artifact.sign(CONTENT, OTHER).replace(
        artifact.key_name(OTHER).encode(), artifact.key_name(KEY).encode()
    )
    with pytest.raises(Untrusted):
        artifact.load(named_ours, [KEY])


def test_the_previous_key_is_accepted_beside_the_new_one() -> None:
    by_the_previous = artifact.sign(CONTENT, PREVIOUS)
    assert artifact.load(by_the_previous, [KEY, PREVIOUS]).rules == RULES
    assert artifact.load(SIGNED, [PREVIOUS, KEY]).rules == RULES


def test_the_name_of_a_key_says_which_and_not_what() -> None:
    names = {artifact.key_name(key) for key in (KEY, PREVIOUS, OTHER)}
    assert len(names) == 3
    assert all(name.encode() in artifact.sign(CONTENT, key) for key in (KEY,) for name in [artifact.key_name(key)])
    assert KEY not in SIGNED
    assert KEY.hex().encode() not in SIGNED


@pytest.mark.parametrize(
    ("mine", "other"),
    [
        (artifact.TAG, "cpython-310"),
        (artifact.BYTECODE, "00000000"),
        (f"loyalty-rules {artifact.FORMAT} ", "loyalty-rules 0 "),
    ],
    ids=["another Python", "other bytecode", "another format"],
)
@pytest.mark.usefixtures("untouched")
def test_what_was_compiled_for_another_python_or_format_is_unfit(mine: str, other: str) -> None:
    with pytest.raises(Unfit):
        artifact.load(changed(lambda content: content.replace(mine.encode(), other.encode(), 1)), [KEY])


@pytest.mark.usefixtures("untouched")
def test_content_that_is_not_what_was_packed_is_refused_even_when_it_is_signed() -> None:
    for change in (
        lambda content: content[:-1],
        lambda content: content + b"\x00",
        lambda content: content.replace(b"loyalty-rules", b"loyalty-roles", 1),
        lambda content: content.replace(b"\n", b" 1\n", 1),
        lambda _: b"",
        lambda _: b"loyalty-rules",
    ):
        with pytest.raises(Untrusted):
            artifact.load(changed(change), [KEY])


def test_the_tree_is_named_by_its_digest() -> None:
    assert artifact.tree_digest(CONTENT) == sha256(encode(RULES)).hexdigest()
    assert artifact.verify(SIGNED, [KEY]) == CONTENT


def test_this_python_is_named_as_its_bytecode_files_are() -> None:
    assert sys.implementation.cache_tag == artifact.TAG


BUILT_ELSEWHERE = """
import hashlib, sys
from loyalty.rules import artifact
assert "loyalty.rules.compiler" not in sys.modules
from loyalty.rules import compiler
from tests.unit.rule_trees import Trees
print(hashlib.sha256(compiler.build(Trees(5).rules(200))).hexdigest())
"""


def test_equal_rules_give_equal_bytes_in_every_process_and_loading_imports_no_compiler() -> None:
    content = compiler.build(Trees(5).rules(200))
    assert content == compiler.build(Trees(5).rules(200))
    expected = sha256(content).hexdigest()
    for seed in ("0", "1"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run(
            [sys.executable, "-c", BUILT_ELSEWHERE], env=environment, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == expected
