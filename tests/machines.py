"""Runs state machines from their ASL files, for tests: the states that ours are made of, in JSONPath.

Task (``lambda:invoke``, with ``.waitForTaskToken``), Map, Choice, Wait, Pass, Succeed and Fail, with Retry, Catch,
Parameters, ResultSelector, ResultPath, OutputPath and ItemsPath. What is not known raises ``NotImplementedError``;
nothing is ignored. A task is delivered as often as ``deliveries`` says, for Step Functions may call a function twice,
and a function may be ended by its surroundings at any place: whatever it raises is met by Retry and Catch.
"""

import copy
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Data = Any
Call = Callable[[str, Data], Data]
"""Calls the function that the definition names, with its event."""
MAX_STEPS = 100_000
_KNOWN = {
    "Type", "Comment", "Next", "End", "Resource", "Parameters", "ResultSelector", "ResultPath", "OutputPath",
    "InputPath", "Retry", "Catch", "TimeoutSeconds", "Choices", "Default", "ItemsPath", "MaxConcurrency",
    "ItemProcessor", "Result", "Error", "Cause", "Seconds",
}  # fmt: skip


class Failed(Exception):
    """A state ended with an error that nothing caught."""

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(f"{error}: {cause}")
        self.error = error
        self.cause = cause


class Killed(BaseException):
    """The process of a function ended, and nothing of it could say so."""


class Waiting(Exception):
    """The execution waits to be called back; ``go_on`` continues it."""


@dataclass
class Execution:
    """One execution: where it is, with what, and how many state transitions it took."""

    machine: "Machine"
    data: Data
    state: str
    token: str = ""
    status: str = "RUNNING"
    transitions: Counter[str] = field(default_factory=Counter)

    def run(self) -> "Execution":
        """On to the end, or to the next wait for a callback."""
        try:
            self.data = self.machine.advance(self)
        except Waiting:
            return self
        except Failed:
            self.status = "FAILED"
            raise
        self.status = "SUCCEEDED"
        return self

    def go_on(self, output: Data) -> "Execution":
        """Called back with the output of the task that waits."""
        assert self.token, "nothing waits"
        states = self.machine.definition["States"]
        state, self.token = states[self.state], ""
        self.data = _result(state, self.data, output)
        self.state = state["Next"]
        return self.run()


class Machine:
    """A definition, with names put in the place of its substitutions. ``deliveries`` says how often a task is
    delivered; the answer of the last one counts.
    """

    def __init__(
        self, file: Path, names: Mapping[str, str], call: Call, deliveries: Callable[[], int] = lambda: 1
    ) -> None:
        text = file.read_text(encoding="utf-8")
        for name, value in names.items():
            text = text.replace(f"${{{name}}}", value)
        left = re.findall(r"\$\{(\w+)\}", text)
        assert not left, f"nothing stands for {left}"
        self.definition = json.loads(text)
        self._call = call
        self._deliveries = deliveries
        self._tokens = 0

    def start(self, data: Data) -> Execution:
        return Execution(self, copy.deepcopy(data), self.definition["StartAt"]).run()

    def advance(self, execution: Execution) -> Data:
        """The data at the end of an execution."""
        return self._run(self.definition["States"], execution, top=True)

    def _run(self, states: Mapping[str, Any], at: Execution, *, top: bool) -> Data:
        for _ in range(MAX_STEPS):
            state = states[at.state]
            assert set(state) <= _KNOWN, set(state) - _KNOWN
            at.transitions["standard" if top else "express"] += 1
            following = self._step(state, at)
            if following is None:
                return at.data
            at.state = following
        raise AssertionError("the machine does not come to an end")

    def _step(self, state: Mapping[str, Any], at: Execution) -> str | None:
        kind = state["Type"]
        if kind == "Choice":
            return self._chosen(state, at.data)
        if kind == "Succeed":
            return None
        if kind == "Fail":
            raise Failed(state.get("Error", ""), state.get("Cause", ""))
        try:
            output = self._output(state, at)
        except Failed as failed:
            for catch in state.get("Catch", ()):
                if _matches(catch["ErrorEquals"], failed.error):
                    told = {"Error": failed.error, "Cause": failed.cause}
                    at.data = _put(at.data, catch.get("ResultPath", "$"), told)
                    return str(catch["Next"])
            raise
        at.data = _result(state, at.data, output)
        return None if state.get("End") else str(state["Next"])

    def _output(self, state: Mapping[str, Any], at: Execution) -> Data:
        kind = state["Type"]
        if kind == "Pass":
            return state.get("Result", at.data)
        if kind == "Wait":
            return at.data
        if kind == "Task":
            return self._retried(state, lambda: self._task(state, at))
        if kind == "Map":
            return self._retried(state, lambda: self._map(state, at))
        raise NotImplementedError(kind)

    def _retried(self, state: Mapping[str, Any], attempt: Callable[[], Data]) -> Data:
        left = [int(one.get("MaxAttempts", 3)) for one in state.get("Retry", ())]
        while True:
            try:
                return attempt()
            except Failed as failed:
                for position, retry in enumerate(state.get("Retry", ())):
                    if _matches(retry["ErrorEquals"], failed.error):
                        if not left[position]:
                            raise
                        left[position] -= 1
                        break
                else:
                    raise

    def _task(self, state: Mapping[str, Any], at: Execution) -> Data:
        resource = state["Resource"].removeprefix("arn:aws:states:::")
        context: dict[str, Any] = {}
        waits = resource == "lambda:invoke.waitForTaskToken"
        if waits:
            self._tokens += 1
            context = {"Task": {"Token": f"token-{id(at)}-{self._tokens}"}}
        elif resource != "lambda:invoke":
            raise NotImplementedError(resource)
        given = _filled(state["Parameters"], at.data, context)
        if waits:
            at.token = context["Task"]["Token"]
        answers = [self._invoked(given) for _ in range(self._deliveries())]
        if waits:
            if at.token:
                raise Waiting
            return {}
        return {"Payload": answers[-1], "StatusCode": 200}

    def _invoked(self, given: Mapping[str, Any]) -> Data:
        try:
            return json.loads(json.dumps(self._call(given["FunctionName"], json.loads(json.dumps(given["Payload"])))))
        except (Exception, Killed) as error:
            raise Failed(type(error).__name__, json.dumps({"errorType": type(error).__name__})) from error

    def _map(self, state: Mapping[str, Any], at: Execution) -> Data:
        processor = state["ItemProcessor"]
        assert processor["ProcessorConfig"] == {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"}
        found = []
        for item in _at(at.data, state["ItemsPath"]):
            child = Execution(self, copy.deepcopy(item), processor["StartAt"])
            try:
                found.append(self._run(processor["States"], child, top=False))
            finally:
                at.transitions.update(child.transitions)
                at.transitions["batches"] += 1
        return found

    def _chosen(self, state: Mapping[str, Any], data: Data) -> str:
        for choice in state["Choices"]:
            value = _at(data, choice["Variable"])
            if "StringEquals" in choice:
                chosen = value == choice["StringEquals"]
            elif "BooleanEquals" in choice:
                chosen = value is choice["BooleanEquals"]
            else:
                raise NotImplementedError(str(choice))
            if chosen:
                return str(choice["Next"])
        return str(state["Default"])


def _result(state: Mapping[str, Any], before: Data, output: Data) -> Data:
    if "ResultSelector" in state:
        output = _filled(state["ResultSelector"], output, {})
    path = state.get("ResultPath", "$")
    after = before if path is None else _put(before, path, output)
    return _at(after, state.get("OutputPath", "$"))


def _matches(errors: list[str], error: str) -> bool:
    return error in errors or "States.ALL" in errors or (error != "States.Timeout" and "States.TaskFailed" in errors)


def _filled(template: Data, data: Data, context: Mapping[str, Any]) -> Data:
    if isinstance(template, dict):
        return {
            name.removesuffix(".$"): _at(context, value[1:])
            if name.endswith(".$") and value.startswith("$$")
            else _at(data, value)
            if name.endswith(".$")
            else _filled(value, data, context)
            for name, value in template.items()
        }
    return template


def _at(data: Data, path: str) -> Data:
    found = data
    for name in path.removeprefix("$").strip(".").split("."):
        if name:
            found = found[name]
    return copy.deepcopy(found)


def _put(data: Data, path: str, value: Data) -> Data:
    if path == "$":
        return value
    name = path.removeprefix("$.")
    assert name.isidentifier(), path
    return {**data, name: value}
