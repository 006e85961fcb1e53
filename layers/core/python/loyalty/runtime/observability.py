"""One log line an operation, which is its metric too (CloudWatch embedded metric format).

Powertools' Logger and Metrics write the same in two or three lines of 1,076 bytes and cost 96 ms at start; the numbers
to hold allow 450 bytes (docs/adr). Nothing personal is ever in a line: no identity, no body, no path values.
"""

import json
import sys
from typing import Final

from loyalty.runtime.config import config

NAMESPACE: Final = "Loyalty"


def record(operation: str, outcome: str, *, now_ms: int, milliseconds: int, **further: str | int) -> None:
    """Write the line of one finished operation.

    ``operation`` is a route key or a function's name, ``outcome`` a status or an error code; both are the metric's
    dimensions.
    """
    write(
        {
            "_aws": {
                "Timestamp": now_ms,
                "CloudWatchMetrics": [
                    {
                        "Namespace": NAMESPACE,
                        "Dimensions": [["operation", "outcome"]],
                        "Metrics": [{"Name": "ms", "Unit": "Milliseconds"}],
                    }
                ],
            },
            "operation": operation,
            "outcome": outcome,
            "ms": milliseconds,
            **further,
        }
    )


def count(metric: str, *, now_ms: int, times: int = 1, **further: str | int) -> None:
    """Count something that people should hear of, such as ``RulesDegraded``; ``further`` says where, and holds nothing
    personal. The metric's one dimension is the stage, so that an alarm adds up all functions and rules.
    """
    write(
        {
            "_aws": {
                "Timestamp": now_ms,
                "CloudWatchMetrics": [
                    {
                        "Namespace": NAMESPACE,
                        "Dimensions": [["stage"]],
                        "Metrics": [{"Name": metric, "Unit": "Count"}],
                    }
                ],
            },
            "level": "WARN",
            "stage": config().stage,
            metric: times,
            **further,
        }
    )


def failure(operation: str, error: BaseException, **further: str | int) -> None:
    """Write where an unforeseen error came from: its type and the places it passed, never its text, which may quote
    data.
    """
    places: list[str] = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}")
        trace = trace.tb_next
    write({"level": "ERROR", "operation": operation, "error": type(error).__name__, "at": places[-8:], **further})


def write(line: dict[str, object]) -> None:
    """One JSON line to standard output, which is where Lambda collects logs."""
    sys.stdout.write(json.dumps(line, separators=(",", ":")) + "\n")
    sys.stdout.flush()
