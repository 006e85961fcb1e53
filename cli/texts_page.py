"""The page of ``loyalty campaigns texts``: each text as it would be read, an e-mail's HTML in a frame that runs nothing
and leads nowhere. One file; what comes from elsewhere are the pictures that an e-mail names.
"""

from collections.abc import Mapping
from html import escape
from typing import Any, Final

_STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1b1b1b; max-width: 760px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1rem; margin: 2rem 0 .5rem; } h2 small { font-weight: normal; color: #666; }
section { border: 1px solid #ddd; border-radius: 6px; padding: .75rem 1rem; } p { margin: 0 0 .5rem; font-weight: 600; }
pre { font: inherit; white-space: pre-wrap; overflow-wrap: anywhere; margin: 0; } small { color: #666; }
iframe { border: 0; border-top: 1px solid #ddd; width: 100%; height: 16rem; resize: vertical; margin-top: .75rem; }
table { border-collapse: collapse; } th { text-align: left; padding-right: 1rem; font-weight: normal; color: #666; }
"""
_ALLOWED: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src https:; frame-src 'self'"


def page(found: Mapping[str, Any]) -> str:
    """The answer to which texts a step has, as a page."""
    title = f"{escape(found['campaign'])}: {escape(found['step'])} on {escape(found['day'])}"
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f'<meta http-equiv="Content-Security-Policy" content="{_ALLOWED}">'
        f"<title>{title}</title><style>{_STYLE}</style><h1>{title}</h1>"
        f"{''.join(_text(one) for one in found['texts'])}</html>\n"
    )


def length(sms: Mapping[str, Any]) -> str:
    """How long an SMS is, in words."""
    number = sms["segments"]
    return f"{number} {'message' if number == 1 else 'messages'}, {sms['length']} characters of {sms['encoding']}"


def _text(one: Mapping[str, Any]) -> str:
    variant, sms = one.get("variant"), one.get("sms")
    head = escape(f"{f'{variant}: ' if variant else ''}{one['channel']}, {one['language']}")
    long = f" <small>{escape(length(sms))}</small>" if sms else ""
    parts = [f"<p>{escape(one['subject'])}</p>"] if one.get("subject") else []
    parts += [f"<pre>{escape(one['text'])}</pre>"] if one.get("text") else []
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in one.get("data", {}).items()
    )
    parts += [f"<table>{rows}</table>"] if rows else []
    if one.get("html"):
        parts.append(f'<iframe sandbox="" title="HTML" srcdoc="{escape(one["html"])}"></iframe>')
    leads = "".join(
        f"<div><small>{escape(place)} leads to {escape(lead)}</small></div>"
        for place, lead in one.get("links", {}).items()
    )
    return f'<h2>{head}{long}</h2><section lang="{escape(one["language"])}">{"".join(parts)}{leads}</section>'
