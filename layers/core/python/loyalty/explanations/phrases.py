"""The words that explanations are made of, in English and in Simplified Chinese. Pure.

A closed table: every node of the language, every fact and every verdict has its phrase in both. What a rule set names
itself (rules, days of the calendar) comes in its own words; ids and values stay as they are written.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final, Literal

from loyalty.rules.ruleset import Names, RuleSet
from loyalty.rules.tree import (
    Aggregate,
    And,
    Arithmetic,
    Call,
    Case,
    Compare,
    Date,
    Field,
    Has,
    In,
    IsNull,
    Like,
    Negative,
    Node,
    Not,
    Null,
    Number,
    Or,
    Text,
    Time,
    Truth,
)
from loyalty.values import exponent

Language = Literal["en", "zh"]
LANGUAGES: Final[tuple[Language, ...]] = ("en", "zh")

NOUNS: Final[Mapping[str, Names]] = {
    "base": Names("base points", "基础积分"),
    "channel": Names("channel", "购买渠道"),
    "store": Names("store", "门店"),
    "region": Names("region of the store", "门店所在区域"),
    "currency": Names("currency", "货币"),
    "amount": Names("amount", "实付金额"),
    "payment": Names("means of payment", "支付方式"),
    "source": Names("reporting system", "上报系统"),
    "quantity": Names("number of pieces", "总件数"),
    "lines": Names("number of lines", "明细行数"),
    "date": Names("day", "日期"),
    "local_time": Names("local time", "当地时间"),
    "weekday": Names("weekday", "星期"),
    "month": Names("month", "月份"),
    "day": Names("day of the month", "当月日数"),
    "days": Names("named days", "特殊日"),
    "member.id": Names("member", "会员编号"),
    "member.kind": Names("kind of member", "会员类型"),
    "member.tier": Names("member's tier", "会员等级"),
    "member.segments": Names("member's segments", "会员所属人群"),
    "member.language": Names("member's language", "会员语言"),
    "member.city": Names("member's city", "会员所在城市"),
    "member.birth_month": Names("month of the member's birthday", "会员生日所在月份"),
    "member.birth_day": Names("day of the member's birthday", "会员生日的日数"),
    "member.age_days": Names("days since enrolment", "入会天数"),
    "member.purchases": Names("purchases before", "此前购买次数"),
    "member.first_purchase": Names("first purchase", "首次购买"),
    "member.days_since_purchase": Names("days since the last purchase", "距上次购买的天数"),
    "member.multiplier": Names("multiplier of the member's tier", "会员等级倍率"),
    "event.type": Names("event", "行为类型"),
    "event.streak": Names("days in a row", "连续天数"),
    "line.base": Names("base points of the line", "该行基础积分"),
    "line.product": Names("product", "商品"),
    "line.category": Names("category", "品类"),
    "line.department": Names("department", "部门"),
    "line.brand": Names("brand", "品牌"),
    "line.margin": Names("margin class", "毛利等级"),
    "line.quantity": Names("pieces of the line", "该行件数"),
    "line.amount": Names("amount of the line", "该行金额"),
}
"""Every fact that rules may speak of. What a rule set declares goes by its own name."""

PHRASES: Final[Mapping[str, Names]] = {
    # Nodes of the language, by their tag; operators and functions behind a dot
    "field": Names("{0}", "{0}"),
    "field.truth": Names("{0} is yes", "{0}为是"),
    "field.first": Names("it is the member's first purchase", "是会员的首次购买"),
    "number": Names("{0}", "{0}"),
    "text": Names("“{0}”", "“{0}”"),
    "truth.yes": Names("yes", "是"),
    "truth.no": Names("no", "否"),
    "date": Names("{0}", "{0}"),
    "time": Names("{0}", "{0}"),
    "null": Names("not known", "未知"),
    "arithmetic.+": Names("{0} plus {1}", "{0}加{1}"),
    "arithmetic.-": Names("{0} minus {1}", "{0}减{1}"),
    "arithmetic.*": Names("{0} times {1}", "{0}乘以{1}"),
    "arithmetic./": Names("{0} divided by {1}", "{0}除以{1}"),
    "negative": Names("minus {0}", "负{0}"),
    "compare.=": Names("{0} is {1}", "{0}为{1}"),
    "compare.<>": Names("{0} is not {1}", "{0}不为{1}"),
    "compare.<": Names("{0} is below {1}", "{0}小于{1}"),
    "compare.<=": Names("{0} is at most {1}", "{0}不超过{1}"),
    "compare.>": Names("{0} is above {1}", "{0}大于{1}"),
    "compare.>=": Names("{0} is at least {1}", "{0}不低于{1}"),
    "compare.time.<": Names("before {1}", "早于{1}"),
    "compare.time.<=": Names("until {1}", "不晚于{1}"),
    "compare.time.>": Names("after {1}", "晚于{1}"),
    "compare.time.>=": Names("from {1} on", "不早于{1}"),
    "compare.time.=": Names("at {1}", "在{1}"),
    "compare.time.<>": Names("not at {1}", "不在{1}"),
    "compare.date.=": Names("on {1}", "在{1}当天"),
    "compare.date.<>": Names("not on {1}", "不在{1}当天"),
    "between": Names("{0} is between {1} and {2}", "{0}在{1}至{2}之间"),
    "between.time": Names("between {1} and {2}", "在{1}至{2}之间"),
    "and": Names(" and ", "，且"),
    "or": Names(" or ", "，或"),
    "brackets": Names("({0})", "（{0}）"),
    "not": Names("not the case that {0}", "并非{0}"),
    "is_null": Names("{0} is not known", "{0}未知"),
    "is_null.not": Names("{0} is known", "{0}已知"),
    "in": Names("{0} is {1}", "{0}为{1}"),
    "in.not": Names("{0} is none of {1}", "{0}不是{1}"),
    "like": Names("{0} looks like “{1}”", "{0}形如“{1}”"),
    "like.begins": Names("{0} begins with “{1}”", "{0}以“{1}”开头"),
    "like.ends": Names("{0} ends with “{1}”", "{0}以“{1}”结尾"),
    "like.contains": Names("{0} contains “{1}”", "{0}包含“{1}”"),
    "has.days": Names("on {0}", "在{0}当天"),
    "has.segments": Names("the member belongs to “{0}”", "会员属于人群“{0}”"),
    "case.when": Names("{1} when {0}", "若{0}则{1}"),
    "case.otherwise": Names("otherwise {0}", "否则{0}"),
    "call.abs": Names("{0} without its sign", "{0}的绝对值"),
    "call.floor": Names("{0} rounded down", "{0}向下取整"),
    "call.ceil": Names("{0} rounded up", "{0}向上取整"),
    "call.round": Names("{0} rounded", "{0}四舍五入"),
    "call.least": Names("the smallest of {0}", "{0}中的最小者"),
    "call.greatest": Names("the greatest of {0}", "{0}中的最大者"),
    "call.coalesce": Names("the first that is known of {0}", "{0}中第一个已知者"),
    "call.nullif": Names("the first unless it is the second of {0}", "{0}中的前者（与后者相同时视为未知）"),
    "call.length": Names("the length of {0}", "{0}的长度"),
    "call.lower": Names("{0} in small letters", "{0}的小写形式"),
    "call.upper": Names("{0} in capitals", "{0}的大写形式"),
    "aggregate.count": Names("the number of lines", "明细行数"),
    "aggregate.count.value": Names("the number of lines with {0}", "有{0}的明细行数"),
    "aggregate.sum": Names("the sum of {0}", "{0}之和"),
    "aggregate.min": Names("the smallest {0}", "{0}的最小值"),
    "aggregate.max": Names("the largest {0}", "{0}的最大值"),
    "aggregate.where": Names("{0} over the lines where {1}", "在{1}的明细行中，{0}"),
    "always": Names("always", "无条件"),
    # Texts that mean something
    "channel.store": Names("bought in store", "在门店购买"),
    "channel.online": Names("bought online", "在线上购买"),
    "channel.app": Names("bought in the app", "在应用内购买"),
    "channel.partner": Names("bought from a partner", "在合作方购买"),
    "channel.other": Names("bought through another channel", "通过其他渠道购买"),
    "weekdays": Names("on {0}", "在{0}"),
    "weekday.monday": Names("Monday", "星期一"),
    "weekday.tuesday": Names("Tuesday", "星期二"),
    "weekday.wednesday": Names("Wednesday", "星期三"),
    "weekday.thursday": Names("Thursday", "星期四"),
    "weekday.friday": Names("Friday", "星期五"),
    "weekday.saturday": Names("Saturday", "星期六"),
    "weekday.sunday": Names("Sunday", "星期日"),
    # Lists
    "list.comma": Names(", ", "、"),
    "list.or": Names(" or ", "或"),
    "list.none": Names("none", "无"),
    "withheld": Names("not shown", "不予显示"),
    "members": Names("the member is one of those meant", "会员属于指定名单"),
    "sentence": Names("{0}.", "{0}。"),
    "then": Names("; ", "；"),
    "named": Names("“{0}”", "“{0}”"),
    "colon": Names(": ", "："),
    # What a rule did
    "rule.exact": Names("exactly {0} points", "精确值为{0}分"),
    "rule.order_cap": Names("one order gives at most {0}, which leaves {1} points", "每单最多{0}分，按此为{1}分"),
    "rule.cap": Names("at most {0} for a member {1}, which leaves {2} points", "每位会员{1}最多{0}，按此为{2}分"),
    "cap.points": Names("{0} points", "{0}分"),
    "cap.times": Names("{0} times", "{0}次"),
    "period.day": Names("a day", "每天"),
    "period.week": Names("a week", "每周"),
    "period.month": Names("a month", "每月"),
    "period.quarter": Names("a quarter", "每季度"),
    "period.year": Names("a year", "每年"),
    "period.total": Names("in all", "总共"),
    "verdict.given": Names("{0} points given", "给予{0}分"),
    "verdict.capped": Names("nothing given: the cap is used up", "未给予积分：上限已用完"),
    "verdict.beaten": Names("nothing given: “{0}” was chosen instead", "未给予积分：已改用“{0}”"),
    "verdict.unpaid": Names(
        "nothing given: the budget of “{0}” was too small for it", "未给予积分：活动“{0}”的预算不足"
    ),
    "verdict.nothing": Names("nothing given: rounded down to nothing", "未给予积分：取整后为零"),
    "rule.when": Names("{0} ({1})", "{0}（{1}）"),
    "rule.lines": Names("for each line: {0}", "逐行判断：{0}"),
    "carried.before": Names("{0} carried from before", "加上此前结转的{0}分"),
    "carried.after": Names("{0} carried on", "结转{0}分"),
    "rounding.down": Names("rounded down: {0} points given", "向下取整，给予{0}分"),
    "rounding.up": Names("rounded up: {0} points given", "向上取整，给予{0}分"),
    "rounding.nearest": Names("rounded: {0} points given", "四舍五入，给予{0}分"),
    "failed": Names("could not be worked out for this event", "对此事件无法计算"),
    # What would have earned more
    "nearest": Names("{0} points more by “{1}”, had it been {2}", "若{2}，按“{1}”可多得{0}分"),
    "nearest.campaign": Names("as far as the budget of “{0}” goes", "以活动“{0}”的预算为限"),
    "change.and": Names(" and ", "，且"),
    "change.date": Names("on {0}", "在{0}当天"),
    "change.local_time": Names("at {0}", "在{0}"),
    "change.store": Names("in store {0}", "在门店{0}"),
    "change.fact": Names("with “{1}” as {0}", "{0}为“{1}”"),
    "change.line": Names("with “{1}” as {0} on line {2}", "第{2}行的{0}为“{1}”"),
    "change.amount": Names("for {0} on line {1}", "第{1}行金额为{0}"),
    "change.pieces": Names("{0} pieces on line {1}", "第{1}行为{0}件"),
    "change.further": Names("for {0} more", "另外消费{0}"),
    "change.further.goods": Names("with “{1}” as {0} of what is bought more", "另购商品的{0}为“{1}”"),
    # Entries by their kind
    "entry.rules": Names("{0} points, by version {2} of the rule set “{1}”", "{0}分，依据规则集“{1}”的第{2}版"),
    "entry.rules.own": Names(
        "{0} points, by version {1} of the rules. It could not be worked out again; this is what the entry itself says",
        "{0}分，依据规则的第{1}版。无法重新计算，以下为分录本身的记载",
    ),
    "entry.rate": Names(
        "{0} at {1} points per {2}: exactly {3} points",
        "{0}，每{2}{1}分：精确值为{3}分",
    ),
    "entry.earned.own": Names("{0} points given", "给予{0}分"),
    "entry.bonus": Names("the programme gives {0} points for “{1}”", "本计划对“{1}”给予{0}分"),
    "entry.reversed": Names(
        "{0} of the purchase {1} came back; what it had earned is taken back: {2} points",
        "购买{1}退回{0}，收回其所得的{2}分",
    ),
    "entry.reversed.all": Names("{0} of it have come back in all", "累计退回{0}"),
    "entry.forgiven": Names("{0} points that were not there any more are forgiven", "账户中已没有的{0}分予以免除"),
    "entry.part": Names("“{0}”: {1} points", "“{0}”：{1}分"),
    "entry.opened": Names("the account was opened", "开立账户"),
    "entry.redeemed": Names("{0} points spent, those that expire first", "使用{0}分，先用最早到期的"),
    "entry.restored": Names(
        "a redemption was cancelled: {0} points back in the lots they came from", "取消兑换：{0}分退回原批次"
    ),
    "entry.held": Names("{0} points set aside until {1}", "预留{0}分，至{1}"),
    "entry.captured": Names(
        "{0} points of a hold spent, {1} released, {2} held on", "扣用预留的{0}分，释放{1}分，继续预留{2}分"
    ),
    "entry.released": Names("a hold was released: {0} points", "释放预留：{0}分"),
    "entry.adjusted": Names("an operator corrected the balance by {0} points: {1}", "运营人员更正余额{0}分：{1}"),
    "entry.transferred_out": Names("{0} points left for another account", "{0}分转往另一账户"),
    "entry.transferred_in": Names("{0} points came from another account", "{0}分来自另一账户"),
    "entry.offer": Names("campaign “{1}” gave {0} points", "活动“{1}”赠送{0}分"),
    "entry.offered": Names(
        "campaign “{3}” gave {0} times the base points for purchases from {1} to {2}",
        "活动“{3}”：{1}至{2}消费可得{0}倍基础积分",
    ),
    "offer": Names("{0} times the base points by campaign {1}", "活动{1}的{0}倍基础积分"),
    "offer.days": Names("from {0} to {1}", "{0}至{1}"),
    "offer.campaign": Names("campaign {0}", "活动{0}"),
    "entry.expired": Names("what time had changed was written down", "记下时间带来的变化"),
    "entry.activated": Names(
        "the event that the points of entry {1} waited for has come: {0} points can be spent",
        "分录{1}的积分所等待的事件已发生：{0}分可以使用",
    ),
    "entry.cancelled": Names(
        "the points of entry {1} waited in vain: {0} points are taken back", "分录{1}的积分未等到所需事件：收回{0}分"
    ),
    "entry.frozen": Names("the account was frozen: {0}", "冻结账户：{0}"),
    "entry.unfrozen": Names("the account was opened again: {0}", "解除冻结：{0}"),
    "entry.tiered": Names("the member's tier was set, reviewed or warned of", "设定、复核或预告会员等级"),
    "entry.alerted": Names("the member was thought to be leaving", "会员可能流失，已发出提醒"),
    "entry.extended": Names("all points were made to last longer", "全部积分延长有效期"),
    "entry.noticed": Names("the member was told what is going to end", "已通知会员即将到期的积分"),
    "entry.decayed": Names("inactivity took {0} points", "因长期未消费扣减{0}分"),
    "entry.renewed": Names("{0} points were paid to make others last longer", "支付{0}分续期"),
    "entry.closed": Names("the account was closed: {0}", "关闭账户：{0}"),
    # Reasons of movements
    "why.earned": Names("earned", "获得"),
    "why.activated": Names("pending points have begun", "待生效的积分已生效"),
    "why.held": Names("set aside", "预留"),
    "why.released": Names("released from a hold", "由预留释放"),
    "why.lapsed": Names("a hold reached its deadline", "预留到期失效"),
    "why.spent": Names("spent", "使用"),
    "why.expired": Names("expired", "过期"),
    "why.reversed": Names("taken back", "收回"),
    "why.owed": Names("owed, for it was not there any more", "账户不足，记为欠分"),
    "why.repaid": Names("repaid what was owed", "偿还欠分"),
    "why.restored": Names("given back", "退回"),
    "why.adjusted": Names("corrected", "更正"),
    "why.transferred": Names("transferred", "转账"),
    "why.forfeited": Names("given up when the account was closed", "关闭账户时放弃"),
    "why.forgiven": Names("let go when the account was closed", "关闭账户时免除"),
    "why.offered": Names("offered by a campaign", "活动赠予"),
    "why.merged": Names("two lots became one", "两个批次合为一个"),
    "why.extended": Names("made to last longer", "延长有效期"),
    "why.noticed": Names("the member was told", "已通知会员"),
    "why.decayed": Names("taken for inactivity", "因长期未消费扣减"),
    "why.opened": Names("opened", "开户"),
    "why.upgraded": Names("a higher tier was reached", "升级"),
    "why.downgraded": Names("a tier was lost", "降级"),
    "why.warned": Names("warned that a tier will be lost", "预告降级"),
    "why.assigned": Names("a tier was set by hand", "人工设定等级"),
    "why.frozen": Names("frozen", "冻结"),
    "why.unfrozen": Names("unfrozen", "解除冻结"),
    "why.closed": Names("closed", "关闭"),
    "why.cancelled": Names("cancelled", "取消"),
}

_RANGE: Final = {(">=", "<=")}
_AND, _OR, _ATOM = 1, 2, 0


class Speaker:
    """Says the conditions, earnings and facts of one rule set in one language."""

    def __init__(self, rules: RuleSet, language: Language) -> None:
        self.language: Language = language
        self._rules = rules
        self._days = {day.id: in_language(day.names, language) for day in rules.calendar}

    def say(self, phrase: str, *parts: object) -> str:
        """A phrase of the table, its places filled."""
        return say(self.language, phrase, *parts)

    def listed(self, parts: Sequence[str], last: str = "list.comma") -> str:
        """a, b or c."""
        if len(parts) < 2:
            return "".join(parts)
        return self.say("list.comma").join(parts[:-1]) + self.say(last) + parts[-1]

    def fact(self, name: str) -> str:
        """A fact as a noun; what the rule set declares goes by its name."""
        noun = NOUNS.get(name)
        return name.partition(".")[2] if noun is None else in_language(noun, self.language)

    def condition(self, node: Node | None) -> str:
        """A condition in words."""
        return self.say("always") if node is None else self._condition(node)[0]

    def _condition(self, node: Node) -> tuple[str, int]:
        """Words, and how loosely they hang together."""
        match node:
            case And(items=items):
                return self._joined("and", self._ranges(items), _AND)
            case Or(items=items):
                return self._joined("or", [self._condition(item) for item in items], _OR)
            case Not(item=item):
                return self._negated(item), _ATOM
            case Compare():
                return self._compared(node), _ATOM
            case In():
                return self._among(node, "in"), _ATOM
            case IsNull(item=item):
                return self.say("is_null", self.value(item)), _ATOM
            case Like(item=item, parts=parts):
                return self._like(item, parts), _ATOM
            case Has(item=item, name=name):
                days = isinstance(item, Field) and item.name == "days"
                named = self._days.get(name, name) if days else name
                return self.say("has.days" if days else "has.segments", named), _ATOM
            case Field(name="member.first_purchase"):
                return self.say("field.first"), _ATOM
            case Field() | Call():
                return self.say("field.truth", self.value(node)), _ATOM
            case Case():
                return self.value(node), _OR
            case _:
                return self.value(node), _ATOM

    def _joined(self, phrase: str, parts: Sequence[tuple[str, int]], level: int) -> tuple[str, int]:
        """Parts with ``and`` or ``or`` between them; what is looser than that stands in brackets."""
        words = [text if inner in (_ATOM, level) else self.say("brackets", text) for text, inner in parts]
        return self.say(phrase).join(words), level if len(words) > 1 else parts[0][1]

    def _ranges(self, items: Sequence[Node]) -> list[tuple[str, int]]:
        """The parts of an AND: ``x >= a AND x <= b`` is one of them."""
        found: list[tuple[str, int]] = []
        place = 0
        while place < len(items):
            here, after = items[place], items[place + 1] if place + 1 < len(items) else None
            if (
                isinstance(here, Compare)
                and isinstance(after, Compare)
                and (here.op, after.op) in _RANGE
                and here.left == after.left
            ):
                if _names_members(here.left):
                    found.append((self.say("members"), _ATOM))
                    place += 2
                    continue
                low, high = (self._beside(here.left, node.right) for node in (here, after))
                phrase = "between.time" if _is(here.left, "local_time", "date") else "between"
                found.append((self.say(phrase, self.value(here.left), low, high), _ATOM))
                place += 2
            else:
                found.append(self._condition(here))
                place += 1
        return found

    def _negated(self, item: Node) -> str:
        if isinstance(item, IsNull):
            return self.say("is_null.not", self.value(item.item))
        if isinstance(item, In):
            return self._among(item, "in.not")
        text, level = self._condition(item)
        return self.say("not", text if level == _ATOM else self.say("brackets", text))

    def _compared(self, node: Compare) -> str:
        left, right = node.left, node.right
        if _names_members(left, right):
            return self.say("members")
        if node.op == "=" and isinstance(left, Field) and isinstance(right, Text):
            said = self._known(left, [right.value])
            if said is not None:
                return said
        phrase = f"compare.{node.op}"
        if _is(left, "local_time"):
            phrase = f"compare.time.{node.op}"
        elif _is(left, "date"):
            phrase = f"compare.date.{node.op}" if node.op in ("=", "<>") else f"compare.time.{node.op}"
        return self.say(phrase, self._beside(right, left), self._beside(left, right))

    def _among(self, node: In, phrase: str) -> str:
        item = node.item
        if _names_members(item):
            return self.say("members") if phrase == "in" else self.say("not", self.say("members"))
        if phrase == "in" and isinstance(item, Field):
            texts = [value.value for value in node.values if isinstance(value, Text)]
            said = self._known(item, texts) if len(texts) == len(node.values) else None
            if said is not None:
                return said
        values = [self._beside(item, value) for value in node.values]
        return self.say(phrase, self.value(item), self.listed(values, "list.or"))

    def _known(self, field: Field, texts: Sequence[str]) -> str | None:
        """Channels and weekdays have words of their own; None for any other text."""
        names = [f"{field.name}.{text}" for text in texts]
        if field.name not in ("channel", "weekday") or any(name not in PHRASES for name in names):
            return None
        words = self.listed([self.say(name) for name in names], "list.or")
        return words if field.name == "channel" else self.say("weekdays", words)

    def _like(self, item: Node, parts: tuple[tuple[str | None, ...], ...]) -> str:
        if _names_members(item):
            return self.say("members")
        texts = ["".join("_" if letter is None else letter for letter in part) for part in parts]
        subject = self.value(item)
        if not any(None in part for part in parts):
            if len(texts) == 2 and not texts[1]:
                return self.say("like.begins", subject, texts[0])
            if len(texts) == 2 and not texts[0]:
                return self.say("like.ends", subject, texts[1])
            if len(texts) == 3 and not texts[0] and not texts[2]:
                return self.say("like.contains", subject, texts[1])
        return self.say("like", subject, "%".join(texts))

    def value(self, node: Node) -> str:
        """A value in words: what it is called, or what it is."""
        match node:
            case Field(name=name):
                return self.say("field", self.fact(name))
            case Number(num=num, den=den):
                return self.say("number", number(num, den))
            case Text(value=text):
                return self.say("text", text)
            case Truth(value=truth):
                return self.say("truth.yes" if truth else "truth.no")
            case Date(ordinal=ordinal):
                return self.say("date", date.fromordinal(ordinal).isoformat())
            case Time(seconds=seconds):
                return self.say("time", clock(seconds))
            case Null():
                return self.say("null")
            case Negative(item=item):
                return self.say("negative", self._inner(item))
            case Arithmetic(op=op, left=left, right=right):
                return self.say(f"arithmetic.{op}", self._inner(left), self._inner(right))
            case _:
                return self._composed(node)

    def _composed(self, node: Node) -> str:
        match node:
            case Call(name=name, args=args):
                return self.say(f"call.{name}", self.listed([self._inner(item) for item in args]))
            case Case(whens=whens, otherwise=otherwise):
                parts = [self.say("case.when", self.condition(when), self.value(value)) for when, value in whens]
                return self.say("then").join([*parts, self.say("case.otherwise", self.value(otherwise))])
            case Aggregate(name=name, value=value, where=where):
                if value is None:
                    words = self.say("aggregate.count")
                else:
                    words = self.say(
                        "aggregate.count.value" if name == "count" else f"aggregate.{name}", self.value(value)
                    )
                return words if where is None else self.say("aggregate.where", words, self.condition(where))
            case _:
                return self.condition(node)

    def _inner(self, node: Node) -> str:
        """A part of a value, in brackets when it is put together itself."""
        words = self.value(node)
        return self.say("brackets", words) if isinstance(node, Arithmetic | Case) else words

    def _beside(self, other: Node, node: Node) -> str:
        """A value beside ``other``, which says what its number counts and what its text means."""
        if isinstance(node, Number) and is_money(other):
            return self.money(node.num, node.den)
        if isinstance(node, Text) and isinstance(other, Field):
            return self._text(other.name, node.value)
        return self.value(node)

    def _text(self, fact: str, text: str) -> str:
        name = f"{fact}.{text}"
        return self.say(name) if fact == "weekday" and name in PHRASES else self.say("text", text)

    def money(self, num: int, den: int) -> str:
        """Whole units of the programme's currency: 60.00 EUR; an exact fraction where it has no end."""
        places = exponent(self._rules.currency)
        if 10**places % den:
            return f"{number(num, den)} {self._rules.currency}"
        whole, rest = divmod(num * (10**places // den), 10**places)
        return f"{whole}.{rest:0{places}} {self._rules.currency}" if places else f"{whole} {self._rules.currency}"

    def shown(self, field: Field, value: object) -> str:
        """What a fact was, as a person writes it."""
        if value is None:
            return self.say("null")
        if isinstance(value, frozenset):
            names = sorted(value)
            return self.listed([self._days.get(name, name) for name in names]) or self.say("list.none")
        if isinstance(value, bool):
            return self.say("truth.yes" if value else "truth.no")
        if isinstance(value, int):
            return self._shown_number(field, value)
        name = f"{field.name}.{value}"
        return self.say(name) if field.name == "weekday" and name in PHRASES else str(value)

    def channel(self, name: str) -> str:
        """Where it was bought."""
        known = f"channel.{name}"
        return self.say(known) if known in PHRASES else self.say("change.fact", self.fact("channel"), name)

    def said(self, value: str) -> str:
        """A value as a rule set writes it, in words where it is true or false."""
        return self.say("truth.yes" if value == "true" else "truth.no") if value in ("true", "false") else value

    def _shown_number(self, field: Field, value: int) -> str:
        if field.type == "date":
            return date.fromordinal(value).isoformat()
        if field.type == "time":
            return clock(value)
        if is_money(field):
            return self.money(value, 10 ** exponent(self._rules.currency))
        return number(value, field.scale)


def in_language(names: Names, language: Language) -> str:
    """The name in a language."""
    return names.zh if language == "zh" else names.en


def say(language: Language, phrase: str, *parts: object) -> str:
    """A phrase of the table, its places filled. What fills them may hold braces itself."""
    words = in_language(PHRASES[phrase], language)
    if language == "en" and "1" in [str(part) for part in parts]:
        words = _COUNTED.sub(lambda match: _one(match, parts), words)
    return words.format(*parts)


_COUNTED: Final = re.compile(r"\{([0-9])\} (point|piece|time)s")


def _one(match: re.Match[str], parts: Sequence[object]) -> str:
    """1 point, and not 1 points."""
    place, noun = match.groups()
    return f"{{{place}}} {noun}" if str(parts[int(place)]) == "1" else match[0]


def is_money(node: Node) -> bool:
    """Whether a number counts units of the currency."""
    match node:
        case Field(name="amount" | "line.amount"):
            return True
        case Aggregate(name="sum" | "min" | "max", value=value) if value is not None:
            return is_money(value)
        case Negative(item=item) | Call(name="abs" | "floor" | "ceil" | "round" | "nullif", args=(item, *_)):
            return is_money(item)
        case Call(name="least" | "greatest" | "coalesce", args=args):
            return any(is_money(item) for item in args)
        case Arithmetic(op="+" | "-", left=left, right=right):
            return is_money(left) or is_money(right)
        case _:
            return False


def number(num: int, den: int) -> str:
    """As a decimal where it ends within nine places, else as a fraction: 12.5, 1/3."""
    for places in range(10):
        if num * 10**places % den == 0:
            shift = abs(num) * 10**places // den
            whole, rest = divmod(shift, 10**places)
            sign = "-" if num < 0 else ""
            return f"{sign}{whole}.{rest:0{places}}" if places else f"{sign}{whole}"
    return f"{num}/{den}"


def clock(seconds: int) -> str:
    """Time of day: 11:30, 11:30:05."""
    hour, rest = divmod(seconds, 3600)
    minute, second = divmod(rest, 60)
    return f"{hour:02}:{minute:02}:{second:02}" if second else f"{hour:02}:{minute:02}"


def _names_members(*sides: Node) -> bool:
    """Whether the member's id is held against ids: those are other members', and nobody else's business."""
    fields = [side for side in sides if isinstance(side, Field)]
    return len(fields) == 1 and fields[0].name == "member.id"


def _is(node: Node, *names: str) -> bool:
    return isinstance(node, Field) and node.name in names
