"""A campaign's report as a page: one HTML file that needs nothing else, in English and Chinese. Pure.

It is made from what the API answers, so whoever may read the report can make the page of it; the report is also in it,
as JSON.
"""

from collections.abc import Callable, Sequence
from datetime import date
from html import escape
from typing import Final

from msgspec import Struct

from loyalty.backtests.page import both, card, document, faint, table
from loyalty.backtests.pictures import BEFORE, GAIN, LOSS, Text
from loyalty.experiments import words
from loyalty.experiments.findings import Arm, Effect, Report, Winner
from loyalty.experiments.pictures import NEUTRAL, Point, Row, intervals, looks
from loyalty.experiments.sums import FATES, SHARES
from loyalty.experiments.views import ReportsView
from loyalty.values import exponent

_UNKNOWN: Final = "#d59b1f"
_COLORS: Final = {"effective": GAIN, "harmful": LOSS, "no effect": BEFORE, "cannot tell yet": _UNKNOWN}
_BRIEF: Final = 100_000
"""Numbers from here on are shortened on an axis."""


class Campaign(Struct, frozen=True):
    """What the page is about."""

    id: str
    name: Text
    goal: Text = Text("", "")
    state: str = ""


def page(campaign: Campaign, reports: ReportsView, data: str, language: str = "en") -> str:
    """The page of the newest report. ``data`` is the JSON it was read from; ``language`` ("en", "zh") is what it opens
    in.
    """
    if not reports.reports:
        nothing = Text(
            "Nothing was measured yet: the first members' windows are not over.",
            "尚未测量：首批会员的观察期还没有结束。",
        )
        body = f"<section><h2>{both(nothing)}</h2></section>"
        return document(campaign.name.en, _header(campaign, None, "") + body, data, language)
    newest = reports.reports[-1]
    report = newest.report
    parts = (
        _header(campaign, report, newest.day),
        _verdict(report, newest.summary.en, newest.summary.zh),
        _cards(report),
        _changes(report),
        _money(report),
        _looks(report, newest.day),
        _pairs(report.winner, report.currency),
        _groups(report),
        _fates(report.arms),
        _blocked(report.arms),
        _notes(report),
    )
    return document(campaign.name.en, "".join(parts), data, language)


def _header(campaign: Campaign, report: Report | None, day: str) -> str:
    head = Text(f"What “{campaign.name.en}” caused", f"活动效果：{campaign.name.zh}")
    lines = f"<h1>{both(head)}</h1>"
    if campaign.goal.en:
        lines += f"<p>{both(campaign.goal)}</p>"
    if report is not None:
        metric = words.METRICS[report.metric]
        made = Text("at the end", "最终结果") if report.final else Text("so far", "进行中")
        if report.cancelled:
            made = Text("as far as it came", "截至取消")
        said = Text(
            f"{metric.en} within {report.window_days} days, {made.en}, {day}",
            f"{report.window_days} 天内的{metric.zh}，{made.zh}，{day}",
        )
        lines += f"<p class=faint>{both(said)}</p>"
    lines += f'<p class="faint small"><span class="id">{escape(campaign.id)}</span></p>'
    button = f'<button id="lang" type="button">{both(Text("中文", "English"))}</button>'
    return f"<header><div>{lines}</div>{button}</header>"


def _verdict(report: Report, en: Sequence[str], zh: Sequence[str]) -> str:
    color = _COLORS[report.effect.verdict]
    said = [tuple(_whole(text, report.currency) for text in one) for one in zip(en, zh, strict=True)]
    first = f"<h2>{both(Text(*said[0]))}</h2>" if said else ""
    rest = "".join(f"<p>{both(Text(*one))}</p>" for one in said[1:])
    return f'<section style="border-left:5px solid {color}">{first}{rest}</section>'


def _cards(report: Report) -> str:
    found, money, currency = report.effect, report.money, report.currency
    treated, control = (words.plain(found.metric, value, currency) for value in (found.treated, found.control))
    lift = "–" if found.lift is None else f"{found.lift * 100:+.1f} %"
    ratio = "–" if money.ratio is None else f"{money.ratio * 100:+,.0f} %"
    brought = "–" if money.brought is None else words.amount(round(money.brought), currency)
    messages = words.amount(money.messages_cost, currency)
    cost: str | Text = words.amount(money.cost, currency)
    of = Text("", "")
    if money.points and not money.points_cost:
        cost, of = Text("not known", "未知"), Text("; nothing says what a point costs", "；未设置积分成本")
    return f"""<div class="cards">{
        card(
            words.METRICS[found.metric],
            treated,
            Text(f"{control} without the campaign · {lift}", f"没有活动时 {control} · {lift}"),
        )
    }{
        card(
            Text("Members in the campaign", "活动组会员"),
            f"{found.treated_members:,}",
            Text(f"{found.control_members:,} kept out to compare", f"对照组 {found.control_members:,} 人"),
        )
    }{
        card(
            Text("Cost", "花费"),
            cost,
            Text(
                f"{money.points:,} points, {money.messages:,} messages ({messages}){of.en}",
                f"{money.points:,} 积分，{money.messages:,} 条消息（{messages}）{of.zh}",
            ),
        )
    }{
        card(
            Text("Return", "回报率"),
            ratio,
            Text(f"{brought} of margin brought", f"带来毛利 {brought}"),
        )
    }</div>"""


def _changes(report: Report) -> str:
    if report.cancelled:
        return ""
    rows = [_row(Text("This campaign", "本次活动"), report.effect, report.currency)]
    if sum(one.effect is not None for one in report.arms) > 1:
        rows += [_row(words.arm(one.name), one.effect, report.currency) for one in report.arms if one.effect]
    if report.together is not None:
        rows.append(
            _row(Text("All campaigns, against holdout", "所有活动与留白组相比"), report.together, report.currency)
        )
    share = report.metric in SHARES
    title = (
        Text("What it changed: members more, of 100", "带来的变化：每 100 名会员中增加的人数")
        if share
        else Text(
            f"What it changed: {words.METRICS[report.metric].en.lower()}, {report.currency}",
            f"带来的变化：{words.METRICS[report.metric].zh}（{report.currency}）",
        )
    )
    how = Text(
        f"The dot is what was seen; the line says between which numbers the truth lies, {_sure(report.effect)}. A line "
        "that crosses 0 may be chance.",
        f"圆点为观察值，横线为真实效果所在的范围（把握 {_sure(report.effect)}）。横线跨过 0 表示可能只是偶然。",
    )
    picture = intervals(rows, title, _axis(report))
    return f"<section><h2>{both(title)}</h2>{faint(how)}{picture}</section>"


def _row(label: Text, found: Effect, currency: str) -> Row:
    unit = _unit(found, currency)
    at = words.signed(found.metric, found.difference, currency)
    ends = "–" if found.low is None or found.high is None else f"{_bare(found, found.low, currency)} … "
    if found.low is not None and found.high is not None:
        ends += _bare(found, found.high, currency)
    return Row(
        label,
        found.difference * unit,
        None if found.low is None else found.low * unit,
        None if found.high is None else found.high * unit,
        _UNKNOWN if found.distrust else _side(found),
        f"{at}  ({ends})",
    )


def _side(found: Effect) -> str:
    if found.low is not None and found.low > 0:
        return GAIN
    return LOSS if found.high is not None and found.high < 0 else NEUTRAL


def _money(report: Report) -> str:
    money, currency = report.money, report.currency
    unit = 1 / 10 ** exponent(currency)
    rows = [_cost(Text("Messages sent", "发送消息"), money.messages_cost, currency)]
    if money.points_cost or not money.points:  # of points that nobody has priced there is no length to draw
        rows.insert(0, _cost(Text("Points given", "发放积分"), money.points_cost, currency))
    if money.brought is not None:
        ends = [None if end is None else end * unit for end in (money.low, money.high)]
        color = _UNKNOWN if money.distrust else NEUTRAL
        said = words.amount(round(money.brought), currency)
        label = Text("Margin brought", "带来毛利")
        rows.append(Row(label, money.brought * unit, ends[0], ends[1], color, said, bar=True))
    title = Text(f"What it cost and brought, {currency}", f"花费与收益（{currency}）")
    how = Text(
        "Points count in full when they are given. Margin brought is what the members in the campaign spent more than "
        "those kept out, at the margin set.",
        "积分在发放时全额计入花费；带来毛利为活动组相对对照组多出的消费乘以毛利率。",
    )
    picture = intervals(rows, title, _brief)
    return f"<section><h2>{both(title)}</h2>{faint(how)}{picture}</section>"


def _cost(label: Text, minor: int, currency: str) -> Row:
    return Row(label, minor / 10 ** exponent(currency), None, None, LOSS, words.amount(minor, currency), bar=True)


def _looks(report: Report, day: str) -> str:
    seen = [(date.fromordinal(one.day).isoformat(), one.effect) for one in report.looks]
    if report.final:
        seen.append((day, report.effect))
    unit = _unit(report.effect, report.currency)
    points = [
        Point(
            on[5:],
            found.difference * unit,
            found.low * unit,
            found.high * unit,
            _UNKNOWN if found.distrust else _side(found),
            f"{on}: {words.signed(found.metric, found.difference, report.currency)}, "
            f"{words.span(found, report.currency).en}",
        )
        for on, found in seen
        if found.low is not None and found.high is not None
    ]
    if len(points) < 2:
        return ""
    title = Text("What each look saw", "每次查看的结果")
    how = Text(
        "Looks before the end are judged more strictly, so that all of them together, and the end, are wrong no more "
        "often than was stated.",
        "结束前的查看标准更严，使所有查看连同最终结果合起来的误判不超过约定比例。",
    )
    return f"<section><h2>{both(title)}</h2>{faint(how)}{looks(points, title, _axis(report))}</section>"


def _pairs(winner: Winner | None, currency: str) -> str:
    if winner is None:
        return ""
    better = Text("surely better", "确定更好")
    rows = ""
    for one, other, found in winner.pairs:
        ahead = one if found.verdict == "effective" else other if found.verdict == "harmful" else ""
        outcome = Text(f"{ahead} {better.en}", f"{ahead} {better.zh}") if ahead else words.VERDICTS["cannot tell yet"]
        rows += (
            f"<tr><td>{escape(one)} – {escape(other)}</td>"
            f"<td>{words.signed(found.metric, found.difference, currency)}</td>"
            f"<td>{both(words.span(found, currency))}</td><td>{both(outcome)}</td></tr>"
        )
    head = (
        Text("Variants", "方案"),
        Text("Difference", "差异"),
        Text("Lies", "范围"),
        Text("Verdict", "结论"),
    )
    title = Text("Which variant is better", "方案对比")
    best = (
        Text(f"Variant {winner.variant} wins.", f"方案 {winner.variant} 胜出。")
        if winner.variant
        else Text("No winner yet.", "尚无胜出方案。")
    )
    return f"<section><h2>{both(title)}</h2>{faint(best)}{table(head, rows)}</section>"


def _groups(report: Report) -> str:
    head = (
        Text("Group", "分组"),
        Text("Members", "会员"),
        Text("Reached", "触达"),
        Text("Bought", "购买"),
        Text("Redeemed", "兑换"),
        words.METRICS[report.metric],
        Text("Points given", "发放积分"),
        Text("Messages sent", "已发送消息"),
    )
    rows = "".join(
        f"<tr><td>{both(words.arm(one.name))}</td><td>{one.members:,}</td><td>{one.reached:,}</td>"
        f"<td>{one.buyers:,}</td><td>{one.redeemers:,}</td>"
        f"<td>{words.plain(report.metric, one.value, report.currency)}</td><td>{one.points:,}</td>"
        f"<td>{_messages(one)}</td></tr>"
        for one in report.arms
    )
    return f"<section><h2>{both(Text('The groups', '各组情况'))}</h2>{table(head, rows)}</section>"


def _messages(arm: Arm) -> str:
    return ", ".join(f"{escape(channel)} {count:,}" for channel, count in arm.messages.items()) or "–"


def _fates(arms: Sequence[Arm]) -> str:
    told = [one for one in arms if one.fates]
    if not told:
        return ""
    head = (Text("Group", "分组"), *(words.FATES[fate] for fate in FATES))
    rows = "".join(
        f"<tr><td>{both(words.arm(one.name))}</td>"
        + "".join(f"<td>{one.fates.get(fate, 0):,}</td>" for fate in FATES)
        + "</tr>"
        for one in told
    )
    title = Text("What became of the messages", "消息的去向")
    how = Text(
        "Every message that was decided on was sent, is in doubt, failed or waits. Only what was sent counts as sent, "
        "as cost and as reached. Some channels never say that a message arrived.",
        "每条决定发送的消息要么已发送，要么存疑、失败或等待中。只有已发送的才计入发送数、花费和触达。有些渠道从不回报是否送达。",
    )
    return f"<section><h2>{both(title)}</h2>{faint(how)}{table(head, rows)}</section>"


def _blocked(arms: Sequence[Arm]) -> str:
    counts: dict[str, int] = {}
    for arm in arms:
        for name, count in arm.blocked.items():
            counts[name] = counts.get(name, 0) + count
    if not counts:
        return ""
    rows = "".join(
        f"<tr><td>{both(words.reason(name))}</td><td>{count:,}</td></tr>"
        for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    )
    title = Text("Not sent, and why", "未发送及原因")
    return f"<section><h2>{both(title)}</h2>{table((Text('Why', '原因'), Text('Messages', '消息')), rows)}</section>"


def _notes(report: Report) -> str:
    notes = [
        Text(
            "Members were put into groups by lot, before anything was sent; only the campaign tells the groups apart.",
            "会员在发送前随机分组，各组之间唯一的差别就是活动。",
        ),
        Text(
            "A member counts in its group whether or not a message reached it. Who was not reached dilutes the effect; "
            "leaving them out would compare the willing with everybody.",
            "无论消息是否送达，会员都计入所在组。剔除未触达者会变成拿活跃会员与全体会员相比。",
        ),
        Text(
            "Who takes part more than once is measured the first time: the same member twice is not two members.",
            "多次参加的会员只衡量第一次：同一位会员出现两次不等于两位会员。",
        ),
        Text(
            "What came back counts as not bought, as far as it was known on the day of the report.",
            "截至报告当日已知的退货按未购买计算。",
        ),
    ]
    if missing := sum(one.missing for one in report.arms):
        notes.append(
            Text(
                f"{missing:,} members could not be read and are in none of these numbers; why is kept.",
                f"{missing:,} 名会员无法读取，未计入以上任何数字；名单和原因已另行保存。",
            )
        )
    if any(one.name == "holdout" and one.effect is None and one.members for one in report.arms[1:]):
        notes.append(
            Text(
                "The programme's holdout gets no campaign at all: against it all campaigns together are measured, and "
                "not this one.",
                "全局留白组不参加任何活动，用于衡量所有活动合计的效果，而不是本次活动。",
            )
        )
    listed = "".join(f"<li>{both(note)}</li>" for note in notes)
    return f'<section><h2>{both(Text("How to read this", "说明"))}</h2><ul class="faint small">{listed}</ul></section>'


# ---- pieces


def _whole(text: str, currency: str) -> str:
    """A number and its unit stay on one line."""
    return text.replace(" %", "\u00a0%").replace(f" {currency}", f"\u00a0{currency}")


def _unit(found: Effect, currency: str) -> float:
    """From a difference to what is drawn: members of 100, or whole units of money."""
    return 100.0 if found.metric in SHARES else 1 / 10 ** exponent(currency)


def _axis(report: Report) -> Callable[[float], str]:
    return (lambda value: f"{value:+.10g}" if value else "0") if report.metric in SHARES else _brief


def _brief(value: float) -> str:
    """Money on an axis."""
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= max(size, _BRIEF / 10):
            return f"{value / size:,.10g}{letter}"
    return f"{value:,.10g}"


def _bare(found: Effect, value: float, currency: str) -> str:
    """A difference without its currency."""
    return words.signed(found.metric, value, currency).removesuffix(f" {currency}")


def _sure(found: Effect) -> str:
    return words.percent(round(found.confidence, 4))
