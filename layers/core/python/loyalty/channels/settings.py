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

from loyalty.channels import wechat as mini
from loyalty.channels import wecom as company
from loyalty.channels.mail import Account as MailAccount
from loyalty.channels.signing import key_of
from loyalty.channels.sms import MAX_SENDER
from loyalty.channels.sms import Account as SmsAccount
from loyalty.channels.webhook import Account as WebhookAccount

EVERY: Final = "*"


class Settings(Struct, frozen=True):
    """A programme's channels; None where there is none. ``push`` has nothing to set."""

    email: MailAccount | None = None
    sms: SmsAccount | None = None
    push: bool = False
    wechat: mini.Account | None = None
    wecom: company.Account | None = None
    webhook: WebhookAccount | None = None


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


def _email(fields: _Fields) -> MailAccount:
    return MailAccount(fields.text("from"), fields.text("configuration_set", ""), fields.text("reply_to", ""))


def _sms(fields: _Fields) -> SmsAccount:
    sender = fields.text("sender", "")
    if sender and not (sender.isascii() and sender.isalnum() and len(sender) <= MAX_SENDER):
        raise ValueError(f"the secret of the channels: sms has a sender that is not 1 to {MAX_SENDER} letters")
    return SmsAccount(sender)


def _wechat(fields: _Fields) -> mini.Account:
    state = fields.text("state", "formal")
    if state not in mini.STATES:
        raise ValueError(f"the secret of the channels: wechat has a state that is none of {mini.STATES}")
    return mini.Account(fields.text("app_id"), fields.text("secret"), fields.base(mini.BASE), state)


def _wecom(fields: _Fields) -> company.Account:
    return company.Account(
        fields.text("corp_id"), fields.text("corp_secret"), fields.text("sender", ""), fields.base(company.BASE)
    )


def _webhook(fields: _Fields) -> WebhookAccount:
    secrets = tuple(one for one in (fields.text("secret"), fields.text("previous", "")) if one)
    for secret in secrets:
        try:
            key_of(secret)
        except ValueError as error:
            raise ValueError(f"the secret of the channels: webhook: {error}") from None
    return WebhookAccount(fields.text("url"), secrets)


_READERS: Final[dict[str, Callable[[_Fields], object]]] = {
    "email": _email,
    "sms": _sms,
    "push": lambda _: True,
    "wechat": _wechat,
    "wecom": _wecom,
    "webhook": _webhook,
}
