"""What a report says, in English and Chinese words. Pure.

No sentence says more than the numbers do: what cannot be told is said to be unknown, and every number that was
estimated comes with the two that it lies between.
"""

from datetime import date
from typing import Final

from msgspec import Struct

from loyalty.backtests.pictures import Text
from loyalty.experiments.findings import Distrust, Effect, Report, Return, Verdict
from loyalty.experiments.sums import SHARES, Metric
from loyalty.values import exponent

VERDICTS: Final[dict[Verdict, Text]] = {
    "effective": Text("It works", "有效"),
    "harmful": Text("It does harm", "有害"),
    "no effect": Text("No effect worth knowing", "没有值得关注的效果"),
    "cannot tell yet": Text("Cannot tell yet", "尚不能判断"),
}
METRICS: Final[dict[Metric, Text]] = {
    "repurchase": Text("Members who bought", "购买会员占比"),
    "spend": Text("Spend per member", "人均消费"),
    "margin": Text("Margin per member", "人均毛利"),
    "redemption": Text("Members who redeemed points", "兑换会员占比"),
}
FATES: Final = {
    "decided": Text("Decided on", "决定发送"),
    "sent": Text("Sent", "已发送"),
    "delivered": Text("Delivered", "已送达"),
    "returned": Text("Came back", "退回"),
    "doubtful": Text("In doubt", "存疑"),
    "failed": Text("Failed", "失败"),
    "waiting": Text("Waiting", "等待中"),
}
DISTRUSTS: Final[dict[Distrust, Text]] = {
    "too few members": Text(
        "One of the groups has fewer than 30 members: no difference between them means anything yet.",
        "其中一组不足 30 人，目前任何差异都没有意义。",
    ),
    "too few who did it": Text(
        "Too few members did it at all: one more or less would change the answer.",
        "发生该行为的会员太少，多一人或少一人就会改变结论。",
    ),
    "a few members decide": Text(
        "A few large purchases decide the difference: who happened to be in which group would change the answer.",
        "差异主要由少数大额消费决定，换一种分组就可能改变结论。",
    ),
    "members missing": Text(
        "More than 1 in 100 members of a group could not be read: those who could may be others than all.",
        "某一组有超过百分之一的会员无法读取：读到的会员未必能代表全体。",
    ),
    "cancelled": Text(
        "All that it did is counted here; a day on which somebody chose to end it can prove nothing about its effect.",
        "以下是活动期间的全部计数；但取消日由人临时决定，据此无法可靠地判断效果。",
    ),
    "margin unknown": Text(
        "Nobody said what is earned of a purchase, so its margin is not known.",
        "未设置毛利率，无法得知毛利。",
    ),
}
REASONS: Final[dict[str, Text]] = {
    "no_channel": Text("no channel named", "未指定渠道"),
    "no_address": Text("no address", "没有联系方式"),
    "dead": Text("address no longer works", "联系方式已失效"),
    "no_consent": Text("has not agreed", "未同意接收"),
    "repeated": Text("was told just this before", "已收到过相同内容"),
    "cap": Text("was told enough lately", "近期消息已达上限"),
    "cap_channel": Text("enough on this channel lately", "该渠道近期已达上限"),
    "cap_own": Text("member's own limit a week", "会员自设每周上限"),
    "offer_guard": Text("was offered enough lately", "近期优惠已达上限"),
    "too_late": Text("too late to make sense", "已过时效"),
    "budget": Text("the budget is used up", "预算已用完"),
    "offers": Text("has too many offers already", "已有优惠过多"),
    "closed": Text("account closed", "账户已关闭"),
}
"""Why something was not sent; what is not here is told as it is called."""
_ARMS: Final = {
    "control": Text("Control (gets nothing)", "对照组（不触达）"),
    "holdout": Text("Programme holdout", "全局留白组"),
    "treated": Text("Campaign", "活动组"),
    "others": Text("All other members", "其余会员"),
}
_DID: Final[dict[Metric, Text]] = {
    "repurchase": Text("bought", "购买"),
    "redemption": Text("redeemed points", "兑换积分"),
    "spend": Text("spent", "消费"),
    "margin": Text("brought in margin", "贡献毛利"),
}


class Summary(Struct, frozen=True):
    """The report in a few sentences, the most important first."""

    en: tuple[str, ...]
    zh: tuple[str, ...]


def summary(report: Report) -> Summary:
    """What a marketer is told."""
    said = [verdict(report)]
    if report.called is not None and report.called.effect.verdict != report.effect.verdict:
        said.append(called(report))
    said += certainty(report.effect, report.currency)
    if report.winner is not None:
        said.append(winner(report))
    said.append(money(report.money, report.currency))
    if report.together is not None:
        said.append(together(report.together, report))
    said.append(error(report))
    return Summary(tuple(one.en for one in said), tuple(one.zh for one in said))


def verdict(report: Report) -> Text:
    """What the campaign did, in one sentence."""
    found, days = report.effect, report.window_days
    if report.cancelled:
        on = date.fromordinal(report.cancelled).isoformat()
        return Text(f"Cancelled on {on}: no effect is stated.", f"已于 {on} 取消：不给出效果结论。")
    name = VERDICTS[found.verdict]
    if found.low is None or found.high is None:
        return Text(f"{name.en}.", f"{name.zh}。")
    seen, between = size(found, report.currency), span(found, report.currency)
    if found.verdict in ("effective", "harmful"):
        return Text(
            f"{name.en}: {seen.en} within {days} days than without the campaign ({between.en}).",
            f"{name.zh}：与没有活动相比，{days} 天内{seen.zh}（{between.zh}）。",
        )
    if found.verdict == "no effect":
        most = plain(found.metric, found.sought, report.currency)
        return Text(
            f"{name.en}: whatever it does is less than {most} a member either way ({between.en}).",
            f"{name.zh}：无论正负，效果都小于每人 {most}（{between.zh}）。",
        )
    return Text(
        f"{name.en}: so far {seen.en}, and that may be chance ({between.en}).",
        f"{name.zh}：目前{seen.zh}，但可能只是偶然（{between.zh}）。",
    )


def certainty(found: Effect, currency: str) -> list[Text]:
    """Why it cannot be told yet, and what would be needed; nothing where it can."""
    if found.verdict != "cannot tell yet":
        return []
    said = [DISTRUSTS[found.distrust]] if found.distrust else []
    if found.needed is not None:
        about, sought = rounded(found.needed), per_member(found.metric, found.sought, currency)
        said.append(
            Text(
                f"About {about:,} more members, divided into groups as now, would show a difference of {sought.en} in "
                "8 of 10 campaigns.",
                f"按目前的分组比例，再增加约 {about:,} 名会员，{sought.zh}的差异在 10 次活动中有 8 次可以看出。",
            )
        )
    elif found.distrust != "margin unknown" and found.low is not None:
        said.append(
            Text("So small a difference no number of members would show.", "差异太小，增加多少会员都看不出来。")
        )
    return said


def called(report: Report) -> Text:
    """That a look before the end was sure already."""
    look = report.called
    if look is None:
        return Text("", "")
    on, name = date.fromordinal(look.day).isoformat(), VERDICTS[look.effect.verdict]
    if report.cancelled:
        return Text(
            f"On {on} a look was sure already: {name.en.lower()}. That stands.",
            f"{on} 的中期查看已确定：{name.zh}。该结论仍然成立。",
        )
    return Text(
        f"On {on} a look was already sure: {name.en.lower()}. That stands; what the end adds is less sure.",
        f"{on} 的中期查看已确定：{name.zh}。该结论仍然成立，只是最终数字不够确定。",
    )


def winner(report: Report) -> Text:
    """Which variant is the best, if one is."""
    found = report.winner
    if found is None:
        return Text("", "")
    if not found.variant:
        return Text("No variant is surely better than all others.", "没有哪个方案确定优于其他所有方案。")
    chance = percent(found.error_rate)
    return Text(
        f"Variant {found.variant} is better than every other; that is wrong at most {chance} of the time.",
        f"方案 {found.variant} 优于其他所有方案；此结论出错的可能不超过 {chance}。",
    )


def together(found: Effect, report: Report) -> Text:
    """What all campaigns did together."""
    if found.verdict not in ("effective", "harmful") or found.low is None:
        name = VERDICTS[found.verdict]
        return Text(
            f"All campaigns together, against those who get none: {name.en.lower()}.",
            f"所有活动合计（与不参加任何活动者相比）：{name.zh}。",
        )
    seen, between = size(found, report.currency), span(found, report.currency)
    return Text(
        f"All campaigns together: {seen.en} than among those who get none ({between.en}).",
        f"所有活动合计：与不参加任何活动者相比，{seen.zh}（{between.zh}）。",
    )


def money(found: Return, currency: str) -> Text:
    """What it cost and brought."""
    cost = Text(amount(found.cost, currency), amount(found.cost, currency))
    if found.points and not found.points_cost:
        cost = Text(
            f"{cost.en}, without the points, for nothing says what a point costs,",
            f"{cost.zh}（未设置积分成本，未计积分）",
        )
    if found.brought is None:
        return Text(
            f"It cost {cost.en.rstrip(',')}; what it brought is not known.", f"花费 {cost.zh}；带来多少毛利未知。"
        )
    brought = amount(round(found.brought), currency)
    if found.low is None or found.high is None:
        return Text(
            f"It cost {cost.en} and brought {brought} of margin, as far as is seen.",
            f"花费 {cost.zh}，目前看带来毛利 {brought}。",
        )
    least, most = amount(round(found.low), currency), amount(round(found.high), currency)
    careful = Text(" Do not rely on it yet.", "目前还不可依赖。") if found.distrust else Text("", "")
    back = Text("", "")
    if found.ratio is not None and found.ratio_low is not None and found.ratio_high is not None:
        at, low, high = (f"{100 * end:+,.0f} %" for end in (found.ratio, found.ratio_low, found.ratio_high))
        back = Text(f" Return {at} (between {low} and {high}).", f"回报率 {at}（介于 {low} 与 {high} 之间）。")
    return Text(
        f"It cost {cost.en} and brought {brought} of margin (between {least} and {most}).{back.en}{careful.en}",
        f"花费 {cost.zh}，带来毛利 {brought}（介于 {least} 与 {most} 之间）。{back.zh}{careful.zh}",
    )


def error(report: Report) -> Text:
    """What is promised."""
    rate = percent(report.error_rate)
    looks = report.planned_looks
    also = (
        Text(
            f", {f'all {looks} looks' if looks > 1 else 'the look'} before the end included",
            f"（含结束前的 {looks} 次查看）",
        )
        if looks
        else Text("", "")
    )
    return Text(
        f"A campaign that does nothing is called effective or harmful at most {rate} of the time{also.en}.",
        f"一个毫无作用的活动被误判为有效或有害的可能不超过 {rate}{also.zh}。",
    )


def size(found: Effect, currency: str) -> Text:
    """The difference, without its sign: "2.1 more of 100 members bought"."""
    more = found.difference >= 0
    did = _DID[found.metric]
    if found.metric in SHARES:
        count = f"{abs(found.difference) * 100:.1f}"
        return Text(
            f"{count} {'more' if more else 'fewer'} of 100 members {did.en}",
            f"每 100 名会员{'多' if more else '少'} {count} 人{did.zh}",
        )
    worth = amount(abs(round(found.difference)), currency)
    return Text(
        f"a member {did.en} {worth} {'more' if more else 'less'}", f"人均{'多' if more else '少'}{did.zh} {worth}"
    )


def per_member(metric: Metric, value: float, currency: str) -> Text:
    """How large a difference is, whichever way it goes."""
    if metric in SHARES:
        count = f"{abs(value) * 100:.1f}"
        return Text(f"{count} of 100 members", f"每 100 名会员 {count} 人")
    worth = amount(abs(round(value)), currency)
    return Text(f"{worth} a member", f"人均 {worth}")


def span(found: Effect, currency: str) -> Text:
    """Between which numbers the difference lies."""
    if found.low is None or found.high is None:
        return Text("nothing bounds it", "没有界限")
    low, high = signed(found.metric, found.low, currency), signed(found.metric, found.high, currency)
    return Text(f"between {low} and {high}", f"介于 {low} 与 {high} 之间")


def arm(name: str) -> Text:
    """What a group is called."""
    return _ARMS.get(name) or Text(f"Variant {name}", f"方案 {name}")


def reason(name: str) -> Text:
    return REASONS.get(name) or Text(name, name)


def plain(metric: Metric, value: float, currency: str) -> str:
    """A value of a metric: "23.4 %", "12.50 EUR"."""
    return f"{value * 100:.1f} %" if metric in SHARES else amount(round(value), currency)


def signed(metric: Metric, value: float, currency: str) -> str:
    """A difference: shares in points of 100 members."""
    if metric in SHARES:
        return f"{value * 100:+.1f}"
    text = amount(round(value), currency)
    return text if round(value) < 0 else f"+{text}"


def amount(minor: int, currency: str) -> str:
    """Minor units as people write them."""
    places = exponent(currency)
    whole, rest = divmod(abs(minor), 10**places)
    return f"{'-' if minor < 0 else ''}{whole:,}" + (f".{rest:0{places}d}" if places else "") + f" {currency}"


def percent(share: float) -> str:
    """A share that is said in words: "5 %", "0.5 %"."""
    return f"{share * 100:.10g} %" if round(share * 100, 3) == share * 100 else f"{share * 100:.3g} %"


def rounded(members: int) -> int:
    """A count that is no more than an estimate: to two digits."""
    step: int = 10 ** max(0, len(str(members)) - 2)
    return -(-members // step) * step
