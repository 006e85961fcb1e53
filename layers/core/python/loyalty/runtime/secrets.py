"""Secrets from Secrets Manager, read when first needed and again now and then, so that a rotation arrives by itself."""

import json
import time
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Protocol

from loyalty.errors import Unavailable
from loyalty.runtime.config import config
from loyalty.table.client import client_of

if TYPE_CHECKING:
    from loyalty.members.tokens import TokenSecrets

REFRESH_SECONDS: Final = 300
"""How long a running copy goes by the secrets it has read."""
MIN_KEY: Final = 32
"""Bytes of a key, at least."""
AGAIN_SECONDS: Final = 10
"""How soon it may be made to look again, by a token that none of its secrets signed."""


class SecretsManager(Protocol):
    """The part of botocore's client that is used."""

    def get_secret_value(self, **request: Any) -> dict[str, Any]: ...


class Secret:
    """One secret's text. ``clock`` counts seconds; ``client`` is made when first needed."""

    def __init__(
        self, client: Callable[[], SecretsManager], secret_id: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._id = secret_id
        self._clock = clock
        self._text: str | None = None
        self._read = 0.0

    def text(self, at_most: float = REFRESH_SECONDS) -> str:
        """The secret, not longer ago read than ``at_most`` seconds. While it cannot be read, what was known stands;
        Unavailable when nothing was.
        """
        moment = self._clock()
        if self._text is None or moment - self._read > at_most:
            text = self._fetch()
            if text is None and self._text is None:
                raise Unavailable("STORAGE_UNAVAILABLE", "Send the same request again", retry_after=1)
            self._text = text or self._text
            self._read = moment
        return self._text or ""

    def _fetch(self) -> str | None:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return str(self._client().get_secret_value(SecretId=self._id)["SecretString"])
        except (BotoCoreError, ClientError):
            return None


def token_secrets(text: str) -> "TokenSecrets":
    """Of JSON ``{"current", "previous"?}``; ValueError when the current one is missing or too short to sign with."""
    from loyalty.members.tokens import MIN_SECRET, TokenSecrets  # only who deals in tokens pays for them at start

    try:
        data = json.loads(text)
        secrets = TokenSecrets(str(data["current"]), str(data.get("previous") or ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValueError('the signing secret is not JSON {"current": …, "previous": …}') from None
    if len(secrets.current.encode()) < MIN_SECRET:
        raise ValueError(f"the signing secret has fewer than {MIN_SECRET} bytes")
    return secrets


def signing_secrets(at_most: float = REFRESH_SECONDS) -> "TokenSecrets":
    """What signs tokens."""
    return token_secrets(_secret(config().signing_secret).text(at_most))


def newer_signing_secrets() -> "TokenSecrets":
    """The same, looked up again unless that was done just now."""
    return signing_secrets(AGAIN_SECONDS)


def identity_secret() -> bytes:
    """The key of identities' digests: plain text that never changes, for all lookups hang on it. ValueError when it
    is too short.
    """
    secret = _secret(config().identity_secret).text().encode()
    if len(secret) < MIN_KEY:
        raise ValueError(f"the identity secret has fewer than {MIN_KEY} bytes")
    return secret


def seal_keys(text: str, of: str = "artifact") -> tuple[bytes, ...]:
    """Of JSON ``{"current", "previous"?}``, where ``previous`` is a text or a list of them: the key that seals, then
    those whose seals still count. ValueError, which says ``of`` which secret, when one is too short, or the current
    one missing.
    """
    try:
        data = json.loads(text)
        previous = data.get("previous") or []
        keys = (data["current"], *([previous] if isinstance(previous, str) else previous))
        encoded = tuple(key.encode() for key in keys)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValueError(f'the {of} secret is not JSON {{"current": …, "previous": …}}') from None
    if any(len(key) < MIN_KEY for key in encoded):
        raise ValueError(f"a key of the {of} secret has fewer than {MIN_KEY} bytes")
    return encoded


def artifact_keys() -> tuple[bytes, ...]:
    """What seals rule sets, and what sealed them before, as of just now: it is asked for only when a version is put in
    force or loaded, and a new key may have come with it. Unavailable, ValueError.
    """
    return seal_keys(_secret(config().artifact_secret).text(AGAIN_SECONDS))


def link_keys(at_most: float = REFRESH_SECONDS) -> tuple[str, ...]:
    """What signs links in messages, and what signed them before: they lie in mailboxes for years. Unavailable,
    ValueError.
    """
    return tuple(key.decode() for key in seal_keys(_secret(config().link_secret).text(at_most), "link"))


def newer_link_keys() -> tuple[str, ...]:
    """The same, looked up again unless that was done just now."""
    return link_keys(AGAIN_SECONDS)


def channels_secret() -> str:
    """How providers are reached, as JSON by programme. Unavailable."""
    return _secret(config().channels_secret).text()


@cache
def _secret(secret_id: str) -> Secret:
    return Secret(_connect, secret_id)


@cache
def _connect() -> SecretsManager:
    from botocore.config import Config

    client: Any = client_of(
        "secretsmanager",
        config=Config(
            retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=1, read_timeout=3, tcp_keepalive=True
        ),
    )
    secrets: SecretsManager = client
    return secrets
