"""WeChat: subscribe messages of a mini programme (POST /cgi-bin/message/subscribe/send), which a member has agreed to
get once, or for good where WeChat allows that.

A message is a template of WeChat's with values. What the value of a key may be follows from the key's name; a template
is held to that when it is checked, and what slips through comes back as 47003.
"""

import json
from typing import Final

from msgspec import Struct

from loyalty.channels import tencent
from loyalty.channels.access import Fetched
from loyalty.channels.channel import Outcome, Post, Sending
from loyalty.channels.tencent import MENDED_S, TOMORROW, Ask, Meaning

BASE: Final = "https://api.weixin.qq.com"
SEND: Final = "/cgi-bin/message/subscribe/send"
TOKEN: Final = "/cgi-bin/stable_token"  # noqa: S105 - a path
RENEW: Final = frozenset({40001, 40014, 42001})
"""Codes of a token that holds no more. Nothing was sent."""
MEANINGS: Final[dict[int, Meaning]] = {
    -1: ("later", 0),  # system busy
    40001: ("later", 60),  # the new token, too
    40014: ("later", 60),
    42001: ("later", 60),
    40003: ("dead", 0),  # no such openid, or another app's
    43101: ("refused", 0),  # not subscribed to this template any more; to another the member may be
    43108: ("later", 0),  # another message to the same member at this very moment
    40037: ("refused", 0),  # no such template
    41030: ("refused", 0),  # no such page
    45168: ("refused", 0),  # a word that WeChat does not allow
    47001: ("refused", 0),  # not the JSON it wants
    47003: ("refused", 0),  # a value that its key does not allow
    45009: ("later", TOMORROW),  # the day's calls are used up
    45011: ("later", 60),  # too many calls in a minute
    40013: ("later", MENDED_S),  # no such app
    40125: ("later", MENDED_S),  # wrong secret
    40164: ("later", MENDED_S),  # our address is not on the app's list
    43107: ("later", MENDED_S),  # subscribe messages are taken from the app
    48001: ("later", MENDED_S),  # the app has no right to this
    48004: ("later", MENDED_S),
    61004: ("later", MENDED_S),
}
STATES: Final = ("formal", "trial", "developer")
LANGUAGES: Final = ("zh_CN", "en_US", "zh_HK", "zh_TW")
_ABOUT: Final = frozenset({"template_id", "page", "lang", "state"})


class Account(Struct, frozen=True):
    """A mini programme, as its owner sees it in WeChat's console. ``state``: which version of it a tap opens."""

    app_id: str
    secret: str
    base_url: str = BASE
    state: str = "formal"


class WeChat:
    """``token`` keeps the app's access token."""

    name: Final = "wechat"
    reported: Final = ""

    def __init__(self, account: Account, post: Post, token: Ask) -> None:
        self._account = account
        self._post = post
        self._token = token

    def send(self, sending: Sending, now: int) -> Outcome:
        data = sending.rendered.data
        if not data.get("template_id"):
            return Outcome("refused", code="no_template")
        body: dict[str, object] = {
            "touser": sending.address,
            "template_id": data["template_id"],
            **({"page": data["page"]} if data.get("page") else {}),
            "data": {key: {"value": value} for key, value in data.items() if key not in _ABOUT},
            "miniprogram_state": self._account.state,
            "lang": data["lang"] if data.get("lang") in LANGUAGES else LANGUAGES[0],
        }
        url = self._account.base_url + SEND
        answer, outcome = tencent.sent(
            self._post, url, body, self._token, self._account.app_id, self._fetch, now, renew=RENEW
        )
        if answer is None:
            return outcome
        if answer.get("errcode") == 0:
            return Outcome("accepted", provider_id=str(answer.get("msgid", "")))
        return tencent.verdict(answer.get("errcode"), MEANINGS, now)

    def _fetch(self, force: bool) -> Fetched:
        wanted = {
            "grant_type": "client_credential",
            "appid": self._account.app_id,
            "secret": self._account.secret,
            "force_refresh": force,
        }
        return tencent.fetched(self._post, self._account.base_url + TOKEN, json.dumps(wanted).encode(), None, "POST")
