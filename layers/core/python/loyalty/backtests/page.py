"""A backtest as a page: one HTML file that needs nothing else, in English and Chinese. Pure.

It is made from what the API answers (``views.SimulationView`` in its JSON form), so whoever may read the figures can
make the page of them; they are also in it, as JSON.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from html import escape
from typing import Any, Final

from loyalty.backtests import pictures
from loyalty.backtests.pictures import Bar, Pair, Text
from loyalty.backtests.views import FiguresView, GroupSums, MemberChange, SimulationView, Sums
from loyalty.rules.ruleset import Names
from loyalty.values import money_text

BY_DAY: Final = 93
"""Up to so many days are drawn one by one, more by week."""
RULES: Final = 16
"""So many rules are drawn, those that change most."""
ROWS: Final = 12
"""So many lines of a table are open to see; the others are folded in."""

_NONE: Final = Text("none", "无")
_OTHERS: Final = Text("all others", "其余合计")

STYLE: Final = """
:root{--ink:#1f2733;--faint:#6b7280;--line:#e4e7ed;--paper:#fff;--ground:#f5f6f9;--gain:#1f8a63;--loss:#c2483f;
--after:#4356c9;--before:#a3acb9}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);line-height:1.45;
font:15px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue","PingFang SC","Microsoft YaHei",
"Noto Sans CJK SC","WenQuanYi Micro Hei",Arial,sans-serif}
body.en .zh,body.zh .en{display:none}
main{max-width:1120px;margin:0 auto;padding:28px 20px 60px}
header{display:flex;justify-content:space-between;align-items:flex-start;gap:16px;margin-bottom:18px}
h1{font-size:25px;margin:0 0 4px}
h2{font-size:17px;margin:0 0 4px}
p{margin:4px 0}
.faint{color:var(--faint)}
small,.small{font-size:13px}
button{font:inherit;font-size:13px;border:1px solid var(--line);background:var(--paper);color:var(--ink);
border-radius:8px;padding:6px 12px;cursor:pointer;white-space:nowrap}
.cards{display:grid;grid-template-columns:repeat(4,1fr);gap:14px;margin-bottom:14px}
.card,section{background:var(--paper);border:1px solid var(--line);border-radius:12px;padding:16px 18px}
.card b{display:block;font-size:25px;font-weight:650;margin:2px 0;font-variant-numeric:tabular-nums;
white-space:nowrap}
.card .small{font-variant-numeric:tabular-nums}
section{margin-bottom:14px}
svg{display:block;width:100%;height:auto;margin-top:8px;font-family:inherit}
svg text{font-variant-numeric:tabular-nums}
.key{display:inline-block;width:11px;height:11px;border-radius:3px;margin:0 5px 0 14px;vertical-align:-1px}
.key:first-child{margin-left:0}
table{width:100%;border-collapse:collapse;margin-top:8px;font-variant-numeric:tabular-nums}
th,td{padding:6px 8px;text-align:right;border-bottom:1px solid var(--line);font-size:14px}
th{font-weight:500;color:var(--faint);font-size:13px;white-space:nowrap}
th:first-child,td:first-child{text-align:left;overflow-wrap:anywhere}
tbody tr:last-child td{border-bottom:0}
.gain{color:var(--gain)}.loss{color:var(--loss)}
.two{display:grid;grid-template-columns:1fr 1fr;gap:14px}
.two>section{min-width:0}
.id{font-family:ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:12.5px}
.warn{border-left:4px solid #d59b1f}
ul{margin:6px 0 0;padding-left:20px}
li{margin:3px 0}
summary{cursor:pointer;color:var(--faint);font-size:13px;margin-top:8px}
@media(max-width:820px){.cards,.two{grid-template-columns:1fr 1fr}.two{grid-template-columns:1fr}}
@media print{body{background:#fff}button{display:none}section,.card{break-inside:avoid}}
"""

SCRIPT: Final = """
(function(){
 var body=document.body, asked=new URLSearchParams(location.search).get('lang');
 function show(lang){body.className=lang;document.documentElement.lang=lang==='zh'?'zh-CN':'en'}
 if(asked==='en'||asked==='zh')show(asked);
 document.getElementById('lang').addEventListener('click',function(){show(body.className==='zh'?'en':'zh')});
})();
"""


def page(simulation: SimulationView, data: str, language: str = "en") -> str:
    """The page of a backtest. ``data`` is the JSON it was read from; ``language`` ("en", "zh") is what it opens in."""
    figures = simulation.figures
    body = _unfinished(simulation) if not isinstance(figures, FiguresView) else _finished(simulation, figures)
    title = f"{simulation.name} · {simulation.since} – {simulation.until}"
    return document(title, f"{_header(simulation)}{body}", data, language)


def document(title: str, body: str, data: str, language: str) -> str:
    """One HTML file of a ``body``, with the JSON that it was made of; it opens in ``language``."""
    safe = data.replace("<", "\\u003c")
    return (
        f'<!doctype html><html lang="{"zh-CN" if language == "zh" else "en"}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
        "script-src 'unsafe-inline'; img-src data:\">"
        f'<link rel="icon" href="data:,"><title>{escape(title)}</title><style>{STYLE}</style></head>'
        f'<body class="{"zh" if language == "zh" else "en"}"><main>{body}</main>'
        f'<script type="application/json" id="figures">{safe}</script><script>{SCRIPT}</script></body></html>\n'
    )


def _header(simulation: SimulationView) -> str:
    days = Text(
        f"{simulation.since} to {simulation.until}, {simulation.days} days",
        f"{simulation.since} 至 {simulation.until}，共 {simulation.days} 天",
    )
    head = Text(f"Backtest of “{simulation.name}”", f"规则回测：{simulation.name}")
    ids = f'<span class="id">{escape(simulation.rule_set)} · {escape(simulation.id)}</span>'
    return (
        f"<header><div><h1>{both(head)}</h1><p class=faint>{both(days)}</p><p class='faint small'>{ids}</p></div>"
        f'<button id="lang" type="button">{both(Text("中文", "English"))}</button></header>'
    )


def _unfinished(simulation: SimulationView) -> str:
    at = simulation.progress
    failed = simulation.status == "incomplete"
    words = Text(
        "It could not be finished." if failed else "It is still running.",
        "回测未能完成。" if failed else "回测仍在进行。",
    )
    done = Text(
        f"{at.accounts_done:,} accounts done, {at.shards_done} of {at.shards} parts",
        f"已完成 {at.accounts_done:,} 个账户，{at.shards_done}/{at.shards} 个分片",
    )
    return f'<section class="warn"><h2>{both(words)}</h2><p>{both(done)}</p></section>'


def _finished(simulation: SimulationView, figures: FiguresView) -> str:
    return "".join(
        (
            _cards(figures),
            _warnings(figures),
            _days(simulation, figures),
            _rules(figures),
            _members(figures),
            _budgets(figures),
            _table(Text("By tier", "按会员等级"), Text("Tier", "等级"), figures.tiers, figures.currency),
            _table(Text("By segment", "按人群"), Text("Segment", "人群"), figures.segments, figures.currency),
            _table(Text("By store", "按门店"), Text("Store", "门店"), figures.stores, figures.currency),
            _notes(figures),
        )
    )


# ---- parts


def _cards(figures: FiguresView) -> str:
    before, after = figures.points_before, figures.points_after
    change = figures.change_percent
    share = "–" if change is None else f"{change:+.1f} %"
    cards = [
        card(
            Text("Points given", "发放积分"),
            f"{after:,}",
            Text(f"{before:,} before · {share}", f"原为 {before:,} · {share}"),
        ),
        _cost_card(figures),
        card(
            Text("Members who win / lose", "受益 / 受损会员"),
            f"{figures.members_gaining:,} / {figures.members_losing:,}",
            Text(
                f"of {figures.members:,}; {figures.members_unchanged:,} unchanged",
                f"共 {figures.members:,} 人；{figures.members_unchanged:,} 人不变",
            ),
        ),
        card(
            Text("Purchases that change", "受影响的购买"),
            f"{figures.purchases_affected:,}",
            Text(
                f"of {figures.purchases:,}, worth {_money(figures.amount, figures.currency)}",
                f"共 {figures.purchases:,} 笔，金额 {_money(figures.amount, figures.currency)}",
            ),
        ),
    ]
    return f'<div class="cards">{"".join(cards)}</div>'


def _cost_card(figures: FiguresView) -> str:
    name = Text("Cost of points", "积分成本")
    if figures.cost_before is None or figures.cost_after is None:
        return card(name, "–", Text("the rule set names no point_cost", "规则集未设置 point_cost"))
    before, after, currency = figures.cost_before, figures.cost_after, figures.currency
    return card(
        name,
        _money(after, currency),
        Text(
            f"{_money(before, currency)} before · {_of(after, figures.amount)} of what was paid",
            f"原为 {_money(before, currency)} · 占实付 {_of(after, figures.amount)}",
        ),
    )


def card(name: Text, number: str | Text, below: Text) -> str:
    """One number, with what it is above it and what to hold it against below."""
    said = both(number) if isinstance(number, Text) else escape(number)
    return (
        f'<div class="card"><span class="faint small">{both(name)}</span><b>{said}</b>'
        f'<span class="faint small">{both(below)}</span></div>'
    )


def _warnings(figures: FiguresView) -> str:
    found = []
    if figures.set_aside:
        first = "; ".join(f"{one.member or '–'}: {one.reason}" for one in figures.set_aside_first[:3])
        found.append(
            Text(
                f"Accounts that could not be replayed and count nowhere: {figures.set_aside:,} ({first})",
                f"{figures.set_aside:,} 个账户无法回放，未计入任何数字（{first}）",
            )
        )
    found += [
        Text(
            f"The rule {one.rule} could not be worked out {one.times:,} times; it gave nothing there.",
            f"规则 {one.rule} 有 {one.times:,} 次无法计算，当次不给积分。",
        )
        for one in figures.failures[:5]
    ]
    found += [
        Text(
            f"The budget of {budget.campaign} would have run dry on {budget.dry_on}.",
            f"活动 {budget.campaign} 的预算将于 {budget.dry_on} 用尽。",
        )
        for budget in figures.budgets
        if isinstance(budget.dry_on, str)
    ]
    if not found:
        return ""
    return f'<section class="warn"><ul>{"".join(f"<li>{both(one)}</li>" for one in found)}</ul></section>'


def _days(simulation: SimulationView, figures: FiguresView) -> str:
    weekly = simulation.days > BY_DAY
    title = Text("Points by week", "每周积分") if weekly else Text("Points by day", "每日积分")
    picture = pictures.lines(_over_time(simulation, figures, 7 if weekly else 1), title)
    return f"<section><h2>{both(title)}</h2>{_legend()}{picture}</section>"


def _over_time(simulation: SimulationView, figures: FiguresView, stride: int) -> list[Pair]:
    """One point for each ``stride`` days, those without anything too."""
    sums = {one.day: one for one in figures.days}
    first, last = date.fromisoformat(simulation.since), date.fromisoformat(simulation.until)
    found = []
    day = first
    while day <= last:
        span = [sums.get((day + timedelta(days=ahead)).isoformat()) for ahead in range(stride)]
        there = [one for one in span if one is not None]
        label = day.strftime("%m-%d")
        pair = Pair(Text(label, label), sum(one.points_before for one in there), sum(one.points_after for one in there))
        found.append(pair)
        day += timedelta(days=stride)
    return found


def _rules(figures: FiguresView) -> str:
    title = Text("Points by rule", "各规则的积分")
    active = [one for one in figures.rules if one.points_before or one.points_after or one.times_after]
    active.sort(key=lambda one: (-max(one.points_before, one.points_after), one.rule))
    rows = []
    for one in active[:RULES]:
        names = one.names
        label = Text(names.en, names.zh) if isinstance(names, Names) else Text(one.rule, one.rule)
        rows.append(Pair(label, one.points_before, one.points_after))
    silent = [one.rule for one in figures.rules if one not in active]
    tail = ""
    if len(active) > RULES:
        tail += faint(
            Text(f"{len(active) - RULES} more rules give less.", f"另有 {len(active) - RULES} 条规则给分更少。")
        )
    if silent:
        named = ", ".join(silent[:8]) + ("…" if len(silent) > 8 else "")
        tail += faint(Text(f"Never came to bear: {named}", f"从未触发：{named}"))
    return f"<section><h2>{both(title)}</h2>{_legend()}{pictures.pairs(rows, title)}{tail}</section>"


def _members(figures: FiguresView) -> str:
    title = Text("How much members win or lose", "会员得失分布")
    bars = [_bar(one.least, one.most, one.members) for one in figures.changes]
    while len(bars) > 3 and not bars[0].number and not bars[-1].number:
        bars = bars[1:-1]
    sums = Text(
        f"Points won {figures.points_gained:,}, lost {figures.points_lost:,}. Members by change of their points:",
        f"共增加 {figures.points_gained:,} 分，减少 {figures.points_lost:,} 分。按积分变化统计人数：",
    )
    return (
        f"<section><h2>{both(title)}</h2>{faint(sums)}{pictures.histogram(bars, title)}</section>"
        f'<div class="two">{_top(Text("Win most", "受益最多"), figures.most_gained)}'
        f"{_top(Text('Lose most', '受损最多'), figures.most_lost)}</div>"
    )


def _bar(least: object, most: object, members: int) -> Bar:
    if least == 0 and most == 0:
        return Bar(Text("0", "0"), members, 0)
    if not isinstance(least, int):
        return Bar(Text(f"≤ {most:,}", f"≤ {most:,}"), members, -1)
    if not isinstance(most, int):
        return Bar(Text(f"≥ +{least:,}", f"≥ +{least:,}"), members, 1)
    low, high = (abs(most), abs(least)) if least < 0 else (least, most)
    sign = "−" if least < 0 else "+"
    label = f"{sign}{pictures.short(low)}–{pictures.short(high)}" if high < 1_000 else f"{sign}{low:,}…"
    return Bar(Text(label, label), members, -1 if least < 0 else 1)


def _top(title: Text, members: Sequence[MemberChange]) -> str:
    if not members:
        return f"<section><h2>{both(title)}</h2><p class=faint>{both(Text('Nobody', '无'))}</p></section>"
    rows = "".join(
        f'<tr><td class="id">{escape(one.member or "–")}</td>'
        f"<td>{one.points_before:,}</td><td>{one.points_after:,}</td>"
        f"<td{_kind(one.points_after - one.points_before)}>{one.points_after - one.points_before:+,}</td></tr>"
        for one in members
    )
    head = (Text("Member", "会员"), Text("Before", "原来"), Text("After", "现在"), Text("Change", "变化"))
    return f"<section><h2>{both(title)}</h2>{table(head, rows)}</section>"


def _budgets(figures: FiguresView) -> str:
    if not figures.budgets:
        return ""
    rows = "".join(
        f"<tr><td>{escape(one.campaign)}</td><td>{one.points:,}</td><td>{one.asked:,}</td><td>{one.paid:,}</td>"
        f"<td>{escape(one.dry_on) if isinstance(one.dry_on, str) else '–'}</td></tr>"
        for one in figures.budgets
    )
    head = (
        Text("Campaign", "活动"),
        Text("Budget", "预算"),
        Text("Asked", "需求"),
        Text("Paid", "支付"),
        Text("Dry on", "用尽日期"),
    )
    return f"<section><h2>{both(Text('Budgets, in points', '预算（积分）'))}</h2>{table(head, rows)}</section>"


def _table(title: Text, what: Text, groups: Sequence[GroupSums], currency: str) -> str:
    if not groups or (len(groups) == 1 and not groups[0].id):
        return ""
    head = (
        what,
        Text("Purchases", "购买"),
        Text(f"Paid, {currency}", f"实付 {currency}"),
        Text("Before", "原来"),
        Text("After", "现在"),
        Text("Change", "变化"),
        Text("%", "%"),
    )
    first = table(head, "".join(_group(one, currency) for one in groups[:ROWS]))
    rest = ""
    if len(groups) > ROWS:
        more = Text(f"{len(groups) - ROWS} more", f"其余 {len(groups) - ROWS} 项")
        further = table(head, "".join(_group(one, currency) for one in groups[ROWS:]))
        rest = f"<details><summary>{both(more)}</summary>{further}</details>"
    return f"<section><h2>{both(title)}</h2>{first}{rest}</section>"


def _group(one: GroupSums, currency: str) -> str:
    name = both(_NONE) if not one.id else both(_OTHERS) if one.id == "*" else escape(one.id)
    change = one.points_after - one.points_before
    return (
        f"<tr><td>{name}</td><td>{one.purchases:,}</td><td>{_money(one.amount, currency, plain=True)}</td>"
        f"<td>{one.points_before:,}</td><td>{one.points_after:,}</td><td{_kind(change)}>{change:+,}</td>"
        f"<td{_kind(change)}>{_change_of(one)}</td></tr>"
    )


def _notes(figures: FiguresView) -> str:
    notes = [
        Text(
            "Purchases and events as they were recorded, in that order, each account from the state it had before; "
            "what came back is taken off on both sides, on the day it came back.",
            "按入账顺序回放已记录的购买与事件，每个账户从当时之前的状态开始；退货在退回当日从两边扣除。",
        ),
        Text(
            "Facts of members, tier and segments among them, are those kept with the purchase, else those of today.",
            "会员资料（包括等级与人群）取购买时的记录，没有记录则取今天的值。",
        ),
        Text(
            "An event of a type that was not known at the time was refused, so it is not here and earns nothing.",
            "当时未知类型的事件已被拒绝、没有记录，因此这里不计分。",
        ),
    ]
    if figures.budgets:
        notes.append(
            Text(
                "Budgets begin full. They cut the whole, the days and (in proportion) the rules; which member or store "
                "would have come too late is not known, so members, tiers, segments and stores stand as asked.",
                "预算按满额起算，用于削减总计、每日以及（按比例）各规则；无法得知哪位会员或哪家门店会晚到，故会员、等级、人群与门店按需求统计。",
            )
        )
    listed = "".join(f"<li>{both(note)}</li>" for note in notes)
    title = Text("How to read this", "说明")
    return f'<section><h2>{both(title)}</h2><ul class="faint small">{listed}</ul></section>'


# ---- pieces


def both(text: Text) -> str:
    """Both languages, of which the page shows one."""
    if text.en == text.zh:
        return escape(text.en)
    return f'<span class="en" lang="en">{escape(text.en)}</span><span class="zh" lang="zh-CN">{escape(text.zh)}</span>'


def faint(text: Text) -> str:
    """A line beside the matter."""
    return f"<p class='faint small'>{both(text)}</p>"


def _legend() -> str:
    before, after = Text("really given", "实际发放"), Text("under this rule set", "按此规则集")
    return (
        f'<p class="faint small"><span class="key" style="background:var(--before)"></span>{both(before)}'
        f'<span class="key" style="background:var(--after)"></span>{both(after)}</p>'
    )


def table(head: Sequence[Text], rows: str) -> str:
    """A table of ``rows`` in HTML."""
    cells = "".join(f"<th>{both(one)}</th>" for one in head)
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{rows}</tbody></table>"


def _kind(change: int) -> str:
    return ' class="gain"' if change > 0 else ' class="loss"' if change < 0 else ""


def _change_of(sums: Sums) -> str:
    if sums.points_before <= 0:
        return "–"
    return f"{(sums.points_after - sums.points_before) * 100 / sums.points_before:+.1f}"


def _of(part: int, whole: int) -> str:
    return f"{part * 100 / whole:.2f} %" if whole > 0 else "–"


def _money(minor: int, currency: str, *, plain: bool = False) -> str:
    """Minor units as people write them."""
    text = money_text(minor, currency)
    return text if plain else f"{text} {currency}"


def data_of(simulation: Mapping[str, Any]) -> str:
    """What the API answered, as the JSON that is put into the page."""
    return json.dumps(simulation, ensure_ascii=False, separators=(",", ":"))
