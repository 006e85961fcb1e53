"""What a template comes to for one member on one channel. Pure."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from jinja2 import TemplateError
from msgspec.structs import replace

from loyalty.templates.language import OWN_LINK, bare, environment, first_line
from loyalty.templates.template import DEFAULT_LANGUAGE, Rendered, Template, Unfit, Value, Variable, spoken
from loyalty.templates.values import fitting, shown

PLACE: Final = 24
"""Letters of the longest placeholder of a link."""
_WIDE: Final = {"<": "\uff1c", ">": "\uff1e"}


def render(template: Template, channel: str, language: str, variables: Mapping[str, Value]) -> Rendered:
    """The message in a language (BCP 47, "" for none), English where the template has no other; Unfit where a variable
    does not fit, KeyError for a channel it has not.
    """
    texts = template.texts[channel]
    said = spoken(language) if spoken(language) in texts else DEFAULT_LANGUAGE
    declared = {one.name: one for one in (*template.variables, OWN_LINK)}
    values = {name: fitting(_bound(one), variables[name]) for name, one in declared.items() if name in variables}
    missing = sorted(one.name for one in template.variables if one.name not in values)
    if missing:
        raise Unfit(missing[0])
    if channel == "webhook":
        data = {name: shown(declared[name], value, said, bare=True) for name, value in values.items()}
        return Rendered(data=data, language=said)
    parts = texts[said]
    if channel == "wechat":
        fields = {name: _filled(text, declared, values, said, "wechat", bare(name)) for name, text in parts.items()}
        return Rendered(
            data={**template.setup.get("wechat", {}), "lang": "zh_CN" if said == "zh" else "en_US"} | fields,
            language=said,
        )
    filled = {name: _filled(text, declared, values, said, _sort(channel, name)) for name, text in parts.items()}
    subject = " ".join(filled.get("subject", filled.get("title", "")).split())
    return Rendered(subject, filled.get("text", ""), filled.get("html", ""), language=said)


def _bound(variable: Variable) -> Variable:
    """A link's bound is that of what it leads to, and until the message leaves a placeholder stands in its place."""
    return replace(variable, most=max(variable.most, PLACE)) if variable.type == "link" else variable


def _sort(channel: str, part: str) -> str:
    return "html" if part == "html" else channel


def _filled(
    text: str, declared: Mapping[str, Variable], values: Mapping[str, Value], said: str, sort: str, plain: bool = False
) -> str:
    known = {
        name: _Words.of(shown(declared[name], value, said, bare=plain), value, sort) for name, value in values.items()
    }
    try:
        return str(_compiled(text, html=sort == "html").render(known))
    except TemplateError as error:
        raise Unfit(first_line(error.message or "")) from None


class _Words(str):
    """A value as it is shown; numbers compare as numbers."""

    __slots__ = ("number",)
    number: int | None

    @classmethod
    def of(cls, shown_as: str, value: Value, sort: str) -> "_Words":
        if sort == "wecom":  # its messages know <a>
            shown_as = "".join(_WIDE.get(sign, sign) for sign in shown_as)
        words = cls(shown_as)
        words.number = value if isinstance(value, int) else None
        return words

    def _key(self) -> Any:
        return str(self) if self.number is None else self.number

    def __eq__(self, other: object) -> bool:
        return bool(self._key() == (other._key() if isinstance(other, _Words) else other))

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __lt__(self, other: Any) -> bool:
        return bool(self._key() < (other._key() if isinstance(other, _Words) else other))

    def __gt__(self, other: Any) -> bool:
        return bool(self._key() > (other._key() if isinstance(other, _Words) else other))

    def __le__(self, other: Any) -> bool:
        return not self > other

    def __ge__(self, other: Any) -> bool:
        return not self < other

    def __bool__(self) -> bool:
        return bool(self._key())

    def __hash__(self) -> int:
        return hash(self._key())


@lru_cache(maxsize=256)
def _compiled(text: str, *, html: bool) -> Any:
    return environment(html=html).from_string(text)
