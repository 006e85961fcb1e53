"""The page that a link to unsubscribe leads to: one button, without a script. Pure.

To look at it changes nothing, for mail servers look at links; the button does it, and so does a mail program's own
(RFC 8058), which posts to the same address.
"""

from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from html import escape
from typing import Final

from loyalty.runtime.http import Answer, Page

_STYLE: Final = """
:root{color-scheme:light dark}
body{margin:0;min-height:100vh;display:flex;align-items:center;justify-content:center;background:#f4f5f7;color:#1d2330;
font:1.05rem/1.6 system-ui,-apple-system,"Segoe UI","PingFang SC","Hiragino Sans GB","Microsoft YaHei",sans-serif}
main{background:#fff;border-radius:14px;box-shadow:0 1px 3px #0002,0 8px 30px #0001;padding:2.2rem 2.4rem;margin:1rem;
width:30rem}
h1{font-size:1.35rem;line-height:1.35;margin:0 0 .7rem}
p{margin:.6rem 0}
small{color:#5c6474;display:block;margin-top:1.2rem}
button{font:inherit;font-weight:600;border:0;border-radius:9px;padding:.75rem 1.4rem;margin-top:1rem;width:100%;
background:#1f5bd8;color:#fff;cursor:pointer}
button:focus-visible{outline:3px solid #1f5bd855;outline-offset:2px}
@media (prefers-color-scheme:dark){body{background:#14171d;color:#e8eaf0}main{background:#1e232c;box-shadow:none}
small{color:#9aa3b5}}
"""
_HASH: Final = b64encode(sha256(_STYLE.encode()).digest()).decode()
_HEADERS: Final = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": (
        f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
_CHANNELS: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        "all": "on any channel",
        "inbox": "in the app",
        "email": "by e-mail",
        "sms": "by text message",
        "push": "by push message",
        "wechat": "on WeChat",
        "wecom": "on WeCom",
        "webhook": "through other services",
    },
    "zh": {
        "all": "任何渠道",
        "inbox": "应用内消息",
        "email": "电子邮件",
        "sms": "短信",
        "push": "推送通知",
        "wechat": "微信",
        "wecom": "企业微信",
        "webhook": "其他服务",
    },
}
_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        "lang": "en",
        "ask": "No more advertising from {name}?",
        "asked": "You will get none {channel}, from now on.",
        "button": "Unsubscribe",
        "done": "Done",
        "gone": "{name} sends you no more advertising {channel}.",
        "kept": "What you are owed still reaches you, such as notice before points end.",
        "unknown": "This link does not work",
        "help": "It may be cut off, or very old. Open the newest message, or ask the shop.",
    },
    "zh": {
        "lang": "zh-CN",
        "ask": "不再接收{name}的推广消息？",
        "asked": "今后将不再通过{channel}向您发送推广消息。",
        "button": "退订",
        "done": "已退订",
        "gone": "{name}不会再通过{channel}向您发送推广消息。",
        "kept": "您应当知悉的通知（例如积分到期提醒）仍会送达。",
        "unknown": "此链接无法使用",
        "help": "链接可能不完整或已过期太久。请打开最近一条消息中的链接，或联系商家。",
    },
}


def asks(name: str, channel: str, language: str) -> Answer:
    """The page with the button."""
    words, where = _WORDS[language], _CHANNELS[language][channel]
    form = f'<form method="post"><button>{words["button"]}</button></form>'
    return _page(200, words, words["ask"].format(name=name), words["asked"].format(channel=where), form)


def done(name: str, channel: str, language: str) -> Answer:
    """The page afterwards."""
    words, where = _WORDS[language], _CHANNELS[language][channel]
    return _page(200, words, words["done"], words["gone"].format(name=name, channel=where))


def unknown(language: str) -> Answer:
    """For a link that is none of ours."""
    words = _WORDS[language]
    return _page(404, {**words, "kept": ""}, words["unknown"], words["help"])


def _page(status: int, words: Mapping[str, str], title: str, text: str, form: str = "") -> Answer:
    html = (
        f'<!doctype html><html lang="{words["lang"]}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main><h1>{escape(title)}</h1>"
        f"<p>{escape(text)}</p>{form}<small>{escape(words['kept'])}</small></main></body></html>"
    )
    return Answer(status, Page(html), {**_HEADERS, "content-language": words["lang"]})
