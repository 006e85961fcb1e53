"""Which channels a programme has and how they are reached: the secret ``channels``, checked. Pure.

JSON by programme; what stands under ``*`` goes for every programme that does not say otherwise for that channel, and
null takes a channel away::

    {"*": {"email": {"from": "Grocer <points@grocer.example>", "configuration_set": "messages"}},
     "grocer": {"wechat": {"app_id": "wx…", "secret": "…"}, "sms": {"sender": "GROCER"}}}
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from loyalty.channels import mail, sms, webhook, wechat, wecom
from loyalty.channels.signing import key_of

EVERY: Final = "*"


class Settings(Struct, frozen=True):
    """A programme's channels; None where there is none. ``push`` has nothing to set."""

    email: mail.Account | None = None
    sms: sms.Account | None = None
    push: bool = False
    wechat: wechat.Account | None = None
    wecom: wecom.Account | None = None
    webhook: webhook.Account | None = None


def settings_of(text: str, program: str, configuration_set: str = "") -> Settings:
    """A programme's settings in the secret's text; mail goes with ``configuration_set`` unless they name another.
    ValueError, which names the channel and the field and quotes no
    value, when they are wrong.
    """
    try:
        secret = json.loads(text)
    except ValueError:
        raise ValueError("the secret of the channels is not JSON") from None
    if not isinstance(secret, dict):
        raise ValueError("the secret of the channels is no object")
    given = {**_object(secret, EVERY), **_object(secret, program)}
    unknown = sorted(given.keys() - _READERS.keys())
    if unknown:
        raise ValueError(f"the secret of the channels names {unknown[0]!r}, which is no channel: {sorted(_READERS)}")
    found: dict[str, Any] = {}
    for name, value in given.items():
        if value is None:
            continue
        if not isinstance(value, dict):
            raise ValueError(f"the secret of the channels: {name} is no object")
        found[name] = _READERS[name](_Fields(name, value))
    settings = Settings(**found)
    if settings.email is not None and not settings.email.configuration_set:
        settings = replace(settings, email=replace(settings.email, configuration_set=configuration_set))
    return settings


def _object(secret: Mapping[str, Any], program: str) -> Mapping[str, Any]:
    value = secret.get(program, {})
    if not isinstance(value, dict):
        raise ValueError(f"the secret of the channels: {program} is no object")
    return value


class _Fields:
    """One channel's fields."""

    def __init__(self, channel: str, fields: Mapping[str, Any]) -> None:
        self._channel = channel
        self._fields = fields

    def text(self, name: str, default: str | None = None) -> str:
        value = self._fields.get(name, default)
        if not isinstance(value, str) or (default is None and not value):
            raise ValueError(f"the secret of the channels: {self._channel} needs the text {name!r}")
        return value

    def base(self, default: str) -> str:
        return self.text("base_url", default).rstrip("/")


def _email(fields: _Fields) -> mail.Account:
    return mail.Account(fields.text("from"), fields.text("configuration_set", ""), fields.text("reply_to", ""))


def _sms(fields: _Fields) -> sms.Account:
    sender = fields.text("sender", "")
    if sender and not (sender.isascii() and sender.isalnum() and len(sender) <= sms.MAX_SENDER):
        raise ValueError(f"the secret of the channels: sms has a sender that is not 1 to {sms.MAX_SENDER} letters")
    return sms.Account(sender)


def _wechat(fields: _Fields) -> wechat.Account:
    state = fields.text("state", "formal")
    if state not in wechat.STATES:
        raise ValueError(f"the secret of the channels: wechat has a state that is none of {wechat.STATES}")
    return wechat.Account(fields.text("app_id"), fields.text("secret"), fields.base(wechat.BASE), state)


def _wecom(fields: _Fields) -> wecom.Account:
    return wecom.Account(
        fields.text("corp_id"), fields.text("corp_secret"), fields.text("sender", ""), fields.base(wecom.BASE)
    )


def _webhook(fields: _Fields) -> webhook.Account:
    secrets = tuple(one for one in (fields.text("secret"), fields.text("previous", "")) if one)
    for secret in secrets:
        try:
            key_of(secret)
        except ValueError as error:
            raise ValueError(f"the secret of the channels: webhook: {error}") from None
    return webhook.Account(fields.text("url"), secrets)


_READERS: Final[dict[str, Callable[[_Fields], object]]] = {
    "email": _email,
    "sms": _sms,
    "push": lambda _: True,
    "wechat": _wechat,
    "wecom": _wecom,
    "webhook": _webhook,
}
