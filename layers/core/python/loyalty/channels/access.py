"""Access tokens of providers: which one may be used, and when a new one is to be had. Pure; seconds since 1970."""

from typing import Final

from msgspec import Struct

EARLY_S: Final = 300
"""A token is renewed so long before it ends. WeChat hands out the next one from five minutes before, and both hold."""
LEASE_S: Final = 20
"""Who renews has so long to do it; then another copy may."""
FORCE_S: Final = 4_500
"""A provider is told to throw a token away at most so often: WeChat allows it 20 times a day."""


class Fetched(Struct, frozen=True):
    """What a provider gave out: the token, and for how many seconds from now it holds."""

    token: str
    lasts_s: int


class NotFetched(Exception):
    """The provider gave no token; the text is its code. ``retry_after_s`` as in an outcome."""

    def __init__(self, code: str, retry_after_s: int = 0) -> None:
        super().__init__(code)
        self.code = code
        self.retry_after_s = retry_after_s


class Access(Struct, frozen=True):
    """A token as it is kept. ``account`` is whose it is at the provider (an app, a corporation): another one's is
    none. ``leased`` is until when somebody renews it, ``forced`` when the provider was last told to throw it away;
    ``version`` counts the writes.
    """

    account: str
    token: str = ""
    ends: int = 0
    leased: int = 0
    forced: int = 0
    version: int = 0


def usable(access: Access | None, account: str, spoiled: str, now: int) -> bool:
    """Whether it holds now. ``spoiled`` is the token that the provider just said no to, if it did."""
    return access is not None and access.account == account and access.token not in ("", spoiled) and now < access.ends


def fresh(access: Access, now: int) -> bool:
    """Whether nobody needs to think of renewing it yet."""
    return now < access.ends - EARLY_S
