"""Where a member is reached: the one form of an address, and how much of it is shown. Pure."""

import re
from typing import Final

from loyalty.contacts.preferences import Addresses
from loyalty.errors import Invalid
from loyalty.phones import international

KINDS: Final = ("email", "phone", "openid", "external_userid", "push_endpoint")
_FORMS: Final = {
    "email": re.compile(r"(?=.{3,254}$)[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
                        r"@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}", re.ASCII),
    "openid": re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII),
    "external_userid": re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII),
    "push_endpoint": re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:endpoint/[A-Za-z0-9_./-]{1,200}", re.ASCII),
}  # fmt: skip
_EXPECTED: Final = {
    "email": "one address, such as a@example.com",
    "phone": "a number in international form, such as +4915112345678",
    "openid": "the openid that WeChat gives",
    "external_userid": "the external_userid that WeCom gives",
    "push_endpoint": "the ARN of an SNS platform endpoint",
}
_DOT: Final = "•"


def normal(kind: str, text: str) -> str:
    """An address in its one form; Invalid names the field, and never quotes the address."""
    value = international(text.strip()) if kind == "phone" else text.strip()
    if not (value if kind == "phone" else _FORMS[kind].fullmatch(value)):
        field = f"addresses.{kind}"
        raise Invalid("REQUEST_INVALID", f"{field} must be {_EXPECTED[kind]}", field=field)
    return value


def masked(addresses: Addresses) -> dict[str, str]:
    """What is known, with the most of it hidden: enough to know one's own, too little to be anybody's address."""
    return {kind: _masked(kind, value) for kind in KINDS if (value := str(getattr(addresses, kind)))}


def _masked(kind: str, value: str) -> str:
    if kind == "email":
        name, _, domain = value.rpartition("@")
        return f"{name[0]}{_DOT * 3}@{domain}"
    if kind == "phone":
        shown = 4 if len(value) >= 11 else 2
        return value[:3] + _DOT * (len(value) - 3 - shown) + value[-shown:]
    return _DOT * 3 + (value[-4:] if len(value) >= 12 else "")
