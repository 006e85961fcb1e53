"""Signed tokens: a member's, for a few minutes, and a till's offline allowance. JWT with HS256 and nothing else.

Both kinds are signed with the programme table's one secret and told apart by their audience, so neither passes for
the other. What the secret before the current one signed is accepted too; a token that neither signed makes the
reader fetch the secrets anew (``newer``), so that a rotation is felt by nobody. Times are seconds since 1970, UTC.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

MEMBER: Final = "loyalty:member"
ALLOWANCE: Final = "loyalty:allowance"
MIN_TTL: Final = 60
MAX_TTL: Final = 3_600
DEFAULT_TTL: Final = 900
"""Seconds that a member's token lasts."""
MIN_SECRET: Final = 32
"""Bytes; RFC 7518 asks of an HS256 key as many as its digest has."""

_ALGORITHM: Final = "HS256"
_CLAIMS: Final = ("aud", "sub", "prg", "cli", "iat", "exp")
_MAX_LENGTH: Final = 2_048


class TokenSecrets(NamedTuple):
    """What signs (``current``), and what signed until the last rotation (empty when there was none)."""

    current: str
    previous: str = ""


class MemberToken(NamedTuple):
    """Who a member token speaks for, and which client it was issued to."""

    program: str
    client: str
    member: str
    expires: int


class Tokens:
    """Issues and reads tokens. ``secret`` gives the secrets as last read, ``newer`` reads them again (in its own
    time).
    """

    def __init__(self, secret: Callable[[], TokenSecrets], newer: Callable[[], TokenSecrets] | None = None) -> None:
        self._secret = secret
        self._newer = newer

    def issue_member_token(self, *, program: str, client: str, member: str, ttl: int, now: int) -> str:
        """A token with which ``member`` may read and redeem for ``ttl`` seconds."""
        return self._sign(MEMBER, program=program, client=client, subject=member, expires=now + ttl, now=now)

    def read_member_token(self, token: str, *, now: int) -> MemberToken | None:
        """What a member token says; None for anything forged, expired, of another kind, or not a token at all."""
        claims = self._read(token, MEMBER, now)
        if claims is None:
            return None
        return MemberToken(claims["prg"], claims["cli"], claims["sub"], claims["exp"])

    def issue_allowance(
        self, *, program: str, client: str, hold_id: str, points: int, spend_until: int, settle_until: int, now: int
    ) -> str:
        """What a till shows to settle what it spent offline: up to ``points`` until ``spend_until``, from one hold."""
        return self._sign(
            ALLOWANCE,
            program=program,
            client=client,
            subject=hold_id,
            expires=settle_until,
            now=now,
            points=points,
            spend_until=spend_until,
        )

    def check_allowance(self, token: str, *, program: str, hold_id: str, now: int) -> bool:
        """Whether ``token`` is a live allowance on this very hold."""
        claims = self._read(token, ALLOWANCE, now)
        return claims is not None and claims["prg"] == program and claims["sub"] == hold_id

    def _sign(
        self, audience: str, *, program: str, client: str, subject: str, expires: int, now: int, **further: int
    ) -> str:
        import jwt  # not needed by most requests, and slow to import

        secret = self._secret().current
        if len(secret.encode()) < MIN_SECRET:
            raise ValueError(f"the signing secret has fewer than {MIN_SECRET} bytes")
        claims = {"aud": audience, "sub": subject, "prg": program, "cli": client, "iat": now, "exp": expires, **further}
        return jwt.encode(claims, secret, algorithm=_ALGORITHM)

    def _read(self, token: str, audience: str, now: int) -> dict[str, Any] | None:
        if len(token) > _MAX_LENGTH or not token.isascii():
            return None
        secrets = self._secret()
        claims = _verified(token, secrets, audience)
        if claims is None and self._newer is not None and _looks_signed(token):
            newer = self._newer()
            claims = None if newer == secrets else _verified(token, newer, audience)
        if claims is None or not _well_formed(claims) or claims["exp"] <= now:
            return None
        return claims


def _verified(token: str, secrets: TokenSecrets, audience: str) -> dict[str, Any] | None:
    """The claims of a token that one of the secrets signed. Its times are left to the caller, whose clock it is."""
    import jwt

    options: Any = {"verify_exp": False, "verify_iat": False, "verify_nbf": False, "require": list(_CLAIMS)}
    for secret in secrets:
        if len(secret.encode()) < MIN_SECRET:
            continue
        try:
            return jwt.decode(token, secret, algorithms=[_ALGORITHM], audience=audience, options=options)
        except jwt.InvalidTokenError:
            continue
    return None


def _looks_signed(token: str) -> bool:
    """Whether it could be a token that a newer secret signed; other nonsense is not worth a look at the secrets."""
    import jwt

    try:
        return jwt.get_unverified_header(token).get("alg") == _ALGORITHM
    except jwt.InvalidTokenError:
        return False


def _well_formed(claims: dict[str, Any]) -> bool:
    texts = all(isinstance(claims[name], str) for name in ("sub", "prg", "cli"))
    return texts and all(type(claims[name]) is int for name in ("iat", "exp"))
