"""What identities are in their one normal form, and what is stored of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.errors import Invalid
from loyalty.members.identities import KINDS, Identity, digest, parse

SECRET = b"k" * 32


@pytest.mark.parametrize(
    "text",
    [
        "phone:+4915112345678",
        "phone:+49 151 1234 5678",
        "phone:+49 (151) 1234-5678",
        "phone:0049 151/12.34.56.78",
        "phone:+49 (0)151 12345678",
        "phone:0049(0) 151 12345678",
        "phone:[+49]15112345678",
    ],
)
def test_a_phone_number_is_one_however_it_is_written(text: str) -> None:
    assert parse(text) == Identity("phone", "+4915112345678")


@pytest.mark.parametrize("text", ["email:Anna@Example.COM", "email: anna@example.com ", "email:ANNA@EXAMPLE.COM"])
def test_an_address_is_one_in_whatever_case(text: str) -> None:
    assert parse(text) == Identity("email", "anna@example.com")


@pytest.mark.parametrize("kind", ["card", "openid", "unionid"])
def test_cards_and_platform_ids_are_taken_as_they_are(kind: str) -> None:
    assert parse(f"{kind}:oA-b_C:9") == Identity(kind, "oA-b_C:9")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "phone",
        "phone:",
        "phone:17098765432",
        "phone:+0151123456",
        "phone:+49",
        "phone:+4915112345678901234",
        "phone:+49x5112345678",
        "phone:+٤٩١٥١١٢٣٤٥٦",
        "email:anna",
        "email:anna@example",
        "email:a@b@c.de",
        "email:an na@example.com",
        "card:",
        "card:1 2",
        "card:1\n",
        "card:" + "1" * 129,
        "card:卡",
        "passport:1",
        "PHONE:+4915112345678",
    ],
)
def test_what_is_no_identity_names_the_field_and_is_not_quoted(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse(text, "identities[2]")
    assert (refused.value.code, refused.value.field) == ("REQUEST_INVALID", "identities[2]")
    value = text.partition(":")[2]
    assert len(value) < 6 or value not in refused.value.detail


@given(st.text(max_size=40))
def test_nothing_but_a_problem_comes_of_any_text(text: str) -> None:
    try:
        identity = parse(text)
    except Invalid:
        return
    assert identity.kind in KINDS
    assert parse(f"{identity.kind}:{identity.value}") == identity


def test_a_digest_hides_the_value_and_depends_on_secret_programme_kind_and_value() -> None:
    base = digest(SECRET, "acme", Identity("card", "10001"))
    others = [
        digest(b"x" * 32, "acme", Identity("card", "10001")),
        digest(SECRET, "acm", Identity("card", "10001")),
        digest(SECRET, "acme", Identity("openid", "10001")),
        digest(SECRET, "acme", Identity("card", "10002")),
    ]
    assert len({base, *others}) == 5
    assert len(base) == 43
    assert "10001" not in base


def test_no_two_identities_run_into_each_other() -> None:
    assert digest(SECRET, "acme", Identity("card", "1")) != digest(SECRET, "acmecard", Identity("", "1"))
    assert digest(SECRET, "ab", Identity("card", "1")) != digest(SECRET, "a", Identity("bcard", "1"))
