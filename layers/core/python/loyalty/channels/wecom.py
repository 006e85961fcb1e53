"""WeCom: messages to a company's customers (POST /cgi-bin/externalcontact/add_msg_template).

The messages of an application (message/send) reach the company's own staff and nobody else, so they are of no use to
members. What reaches a customer is a mass message: WeCom gives it as a task to the member of staff who knows the
customer, and sends it when that person confirms. ``accepted`` means that the task is there; a customer gets at most
four of these a month, over all that the company sends.
"""

from typing import Final

from msgspec import Struct

from loyalty.channels import tencent
from loyalty.channels.access import Fetched
from loyalty.channels.channel import Outcome, Post, Sending
from loyalty.channels.tencent import MENDED_S, TOMORROW, Ask, Meaning

BASE: Final = "https://qyapi.weixin.qq.com"
SEND: Final = "/cgi-bin/externalcontact/add_msg_template"
TOKEN: Final = "/cgi-bin/gettoken"  # noqa: S105 - a path
MAX_TEXT: Final = 4_000
"""Bytes of a text."""
MAX_TITLE: Final = 128
RENEW: Final = frozenset({40014, 42001})
"""Codes of a token that holds no more. Nothing was sent."""
MEANINGS: Final[dict[int, Meaning]] = {
    -1: ("later", 0),  # system busy
    6000: ("later", 0),  # two changes at once
    40014: ("later", 60),  # the new token, too
    42001: ("later", 60),
    40096: ("dead", 0),  # no such customer
    84061: ("dead", 0),  # nobody of the staff knows the customer any more
    41048: ("refused", 0),  # nobody to send it to: the customer has had the month's messages, or opted out
    41063: ("later", 60),  # tasks are being given out
    45002: ("refused", 0),  # too long
    45009: ("later", TOMORROW),  # the day's calls are used up
    45033: ("later", 0),  # too many calls at once
    40001: ("later", MENDED_S),  # wrong secret
    40013: ("later", MENDED_S),  # no such corporation
    40091: ("later", MENDED_S),
    48002: ("later", MENDED_S),  # the application has no right to this
    60011: ("later", MENDED_S),  # the staff concerned are out of its sight
    60020: ("later", MENDED_S),  # our address is not on its list
    81013: ("later", MENDED_S),  # none of the staff concerned may use it
    84074: ("later", MENDED_S),  # it may not see customers
}
NOT_TO_THEM: Final = "fail_list"
"""Code of ours when WeCom took the task and lists the customer among those it will not send to."""


class Account(Struct, frozen=True):
    """A company and the application of it that may send to customers. ``sender``: the member of staff who sends, empty
    for whoever knows the customer.
    """

    corp_id: str
    corp_secret: str
    sender: str = ""
    base_url: str = BASE


class WeCom:
    """``token`` keeps the application's access token."""

    name: Final = "wecom"
    reported: Final = ""

    def __init__(self, account: Account, post: Post, token: Ask) -> None:
        self._account = account
        self._post = post
        self._token = token

    def send(self, sending: Sending, now: int) -> Outcome:
        words = sending.rendered
        if len(words.text.encode()) > MAX_TEXT:
            return Outcome("refused", code="too_long")
        body: dict[str, object] = {
            "chat_type": "single",
            "external_userid": [sending.address],
            **({"sender": self._account.sender} if self._account.sender else {}),
            "text": {"content": words.text},
        }
        if words.data.get("url"):
            title = words.data.get("title") or words.subject or words.text
            link = {"title": _cut(title, MAX_TITLE), "url": words.data["url"]}
            body["attachments"] = [{"msgtype": "link", "link": link}]
        url = self._account.base_url + SEND
        answer, outcome = tencent.sent(
            self._post, url, body, self._token, self._account.corp_id, self._fetch, now, renew=RENEW
        )
        if answer is None:
            return outcome
        if answer.get("errcode") != 0:
            return tencent.verdict(answer.get("errcode"), MEANINGS, now)
        task = str(answer.get("msgid", ""))
        if sending.address in (answer.get("fail_list") or ()):
            return Outcome("refused", task, NOT_TO_THEM)
        return Outcome("accepted", task)

    def _fetch(self, force: bool) -> Fetched:
        del force  # WeCom gives the same token while it holds, and cannot be told otherwise
        query = {"corpid": self._account.corp_id, "corpsecret": self._account.corp_secret}
        return tencent.fetched(self._post, self._account.base_url + TOKEN, b"", query, "GET")


def _cut(text: str, most: int) -> str:
    """As much of it as fits into so many bytes."""
    return text.encode()[:most].decode(errors="ignore")
