"""Member tokens and offline allowances: what they open, and all that they do not."""

import base64
import hmac
import json
from hashlib import sha256
from typing import Any

import jwt
import pytest

from loyalty.members.tokens import ALLOWANCE, MEMBER, MemberToken, Tokens, TokenSecrets

NOW = 1_750_000_000
OLD, NEW, OTHER = "o" * 48, "n" * 48, "x" * 48
HOLD = "hld_01ARZ3NDEKTSV4RRFFQ69G5FAV-points-7"
ANNA = "mem_01ARZ3NDEKTSV4RRFFQ69G5FAV"


def tokens(current: str = NEW, previous: str = "") -> Tokens:
    return Tokens(lambda: TokenSecrets(current, previous))


def member_token(signer: Tokens, ttl: int = 900) -> str:
    return signer.issue_member_token(program="acme", client="cli_1", member=ANNA, ttl=ttl, now=NOW)


def allowance(signer: Tokens) -> str:
    return signer.issue_allowance(
        program="acme", client="cli_1", hold_id=HOLD, points=50, spend_until=NOW + 60, settle_until=NOW + 600, now=NOW
    )


def signed(secret: str, header: dict[str, Any] | None = None, **claims: Any) -> str:
    """A token made by hand, so that what a library would refuse to write can be tried too."""
    body = {"aud": MEMBER, "sub": ANNA, "prg": "acme", "cli": "cli_1", "iat": NOW, "exp": NOW + 900, **claims}
    body = {name: value for name, value in body.items() if value is not None}
    parts = [json.dumps(header or {"alg": "HS256", "typ": "JWT"}).encode(), json.dumps(body).encode()]
    text = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    mac = base64.urlsafe_b64encode(hmac.digest(secret.encode(), text, sha256)).rstrip(b"=")
    return (text + b"." + mac).decode()


def test_a_member_token_says_who_it_speaks_for_until_it_expires() -> None:
    token = member_token(tokens())
    assert tokens().read_member_token(token, now=NOW + 899) == MemberToken("acme", "cli_1", ANNA, NOW + 900)
    assert tokens().read_member_token(token, now=NOW + 900) is None


def test_an_allowance_settles_its_own_hold_until_it_expires() -> None:
    token = allowance(tokens())
    assert tokens().check_allowance(token, program="acme", hold_id=HOLD, now=NOW + 599)
    assert not tokens().check_allowance(token, program="acme", hold_id=HOLD, now=NOW + 600)
    assert not tokens().check_allowance(token, program="acme", hold_id=HOLD.replace("-7", "-8"), now=NOW)
    assert not tokens().check_allowance(token, program="baker", hold_id=HOLD, now=NOW)


def test_the_till_can_read_its_limits_from_the_allowance() -> None:
    claims = jwt.decode(allowance(tokens()), NEW, ["HS256"], audience=ALLOWANCE, options={"verify_exp": False})
    assert (claims["points"], claims["spend_until"], claims["exp"]) == (50, NOW + 60, NOW + 600)


def test_neither_kind_passes_for_the_other() -> None:
    assert tokens().read_member_token(allowance(tokens()), now=NOW) is None
    token = tokens().issue_member_token(program="acme", client="cli_1", member=HOLD, ttl=900, now=NOW)
    assert not tokens().check_allowance(token, program="acme", hold_id=HOLD, now=NOW)


def test_a_token_made_by_hand_with_the_right_secret_is_read() -> None:
    assert tokens().read_member_token(signed(NEW), now=NOW) is not None


@pytest.mark.parametrize(
    "token",
    [
        "",
        "eyJ",
        "a.b.c",
        "....",
        "e" * 3_000,
        "eyJé.a.b",
        signed(OTHER),
        signed(""),
        signed(NEW, {"alg": "none"}),
        signed(NEW, {"alg": "HS512"}),
        signed(NEW, {"alg": "RS256"}),
        signed(NEW, {"alg": "HS256", "crit": ["unheard-of"], "unheard-of": 1}),
        signed(NEW).rsplit(".", 1)[0] + ".",
        signed(NEW)[:-2],
        signed(NEW, aud=None),
        signed(NEW, aud="other"),
        signed(NEW, exp=None),
        signed(NEW, exp=NOW - 1),
        signed(NEW, exp="soon"),
        signed(NEW, exp=float("inf")),
        signed(NEW, exp=True),
        signed(NEW, sub=None),
        signed(NEW, sub=7),
        signed(NEW, prg=None),
        signed(NEW, prg=["acme"]),
        signed(NEW, cli={}),
        jwt.encode({"aud": MEMBER, "sub": ANNA}, "", algorithm="none"),
    ],
)
def test_whatever_is_forged_expired_or_malformed_opens_nothing(token: str) -> None:
    assert tokens().read_member_token(token, now=NOW) is None
    assert not tokens().check_allowance(token, program="acme", hold_id=HOLD, now=NOW)


def test_a_changed_claim_breaks_the_signature() -> None:
    head, body, mac = member_token(tokens()).split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    forged = base64.urlsafe_b64encode(json.dumps({**claims, "prg": "baker"}).encode()).rstrip(b"=").decode()
    assert tokens().read_member_token(f"{head}.{forged}.{mac}", now=NOW) is None


def test_what_the_previous_secret_signed_is_still_read() -> None:
    token = member_token(tokens(OLD))
    assert tokens(NEW, OLD).read_member_token(token, now=NOW) is not None
    assert tokens(NEW).read_member_token(token, now=NOW) is None


def test_new_tokens_are_signed_with_the_current_secret() -> None:
    assert tokens(NEW).read_member_token(member_token(tokens(NEW, OLD)), now=NOW) is not None
    assert tokens(OLD).read_member_token(member_token(tokens(NEW, OLD)), now=NOW) is None


def test_a_copy_that_missed_the_rotation_looks_again() -> None:
    looks: list[int] = []

    def newer() -> TokenSecrets:
        looks.append(1)
        return TokenSecrets(NEW, OLD)

    behind = Tokens(lambda: TokenSecrets(OLD), newer)
    assert behind.read_member_token(member_token(tokens(NEW, OLD)), now=NOW) is not None
    assert behind.read_member_token(signed(OTHER), now=NOW) is None
    assert len(looks) == 2


@pytest.mark.parametrize("token", ["", "eyJ.a.b", signed(NEW, {"alg": "none"}), "e" * 3_000])
def test_nonsense_is_not_worth_another_look_at_the_secrets(token: str) -> None:
    def newer() -> TokenSecrets:
        pytest.fail("looked again")

    assert Tokens(lambda: TokenSecrets(NEW), newer).read_member_token(token, now=NOW) is None


@pytest.mark.parametrize("secret", ["", "short"])
def test_a_secret_too_short_for_the_digest_signs_and_opens_nothing(secret: str) -> None:
    with pytest.raises(ValueError, match="fewer than 32 bytes"):
        member_token(tokens(secret))
    assert tokens(secret).read_member_token(signed(secret), now=NOW) is None
