"""Use case: explain an entry."""

from collections.abc import Callable

from loyalty.earning.purchase import Order
from loyalty.errors import Corrupt, NotFound
from loyalty.explanations.explain import Source, explain
from loyalty.explanations.phrases import Language
from loyalty.explanations.views import ExplanationView
from loyalty.ledger.account import State
from loyalty.ledger.chain import Chain, Entry
from loyalty.rules.evaluation import Loaded


class Explanations:
    """Explanations of every programme's entries. ``entry`` and ``order`` find one or raise NotFound; ``rules_of`` gives
    a version of a programme's rules, Corrupt when it can be loaded in no form.
    """

    def __init__(
        self,
        entry: Callable[[Chain, int], Entry],
        order: Callable[[str, str, str], Order],
        rules_of: Callable[[str, int], Loaded],
    ) -> None:
        self._entry = entry
        self._order = order
        self._rules_of = rules_of

    def explain(self, chain: Chain, number: int, language: Language) -> ExplanationView:
        """Why entry ``number`` says what it says; NotFound (ENTRY_NOT_FOUND)."""
        entry = self._entry(chain, number)
        before = self._entry(chain, number - 1).state if number > 1 else State()
        return explain(entry, before, Source(self._order_of(entry), self._loaded(entry)), language)

    def _order_of(self, entry: Entry) -> Order | None:
        detail = entry.detail
        if "order" not in detail:
            return None
        try:
            return self._order(entry.chain.program, detail["source"], detail["order"])
        except NotFound:
            return None

    def _loaded(self, entry: Entry) -> Loaded | None:
        version = entry.detail.get("rules")
        if version is None:
            return None
        try:
            return self._rules_of(entry.chain.program, version)
        except Corrupt:
            return None
