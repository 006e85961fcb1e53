"""One page for whoever is on call: what is wrong, what callers feel, what is behind, what it costs."""

from collections.abc import Mapping, Sequence

from aws_cdk import Duration
from aws_cdk import aws_apigatewayv2 as apigw
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

from infra.constructs.alarms import WAITING, function_metric, queue_metric

_PERIOD = Duration.minutes(5)


def _graph(
    title: str, left: list[cloudwatch.IMetric], right: list[cloudwatch.IMetric] | None = None
) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=left, right=right or [], width=12, height=6, period=_PERIOD)


def dashboard(
    scope: Construct,
    prefix: str,
    *,
    alarms: list[cloudwatch.Alarm],
    api: apigw.HttpApi,
    functions: Mapping[str, str],
    streams: Sequence[str],
    queues: Mapping[str, str],
    table: dynamodb.Table,
) -> cloudwatch.Dashboard:
    """Names of functions and queues by what to call them; ``streams`` are the functions that follow the table."""
    page = cloudwatch.Dashboard(scope, "Dashboard", dashboard_name=prefix, default_interval=Duration.hours(3))
    page.add_widgets(
        cloudwatch.AlarmStatusWidget(title="Alarms", alarms=[*alarms], width=24, height=6),
    )
    page.add_widgets(
        _graph(
            "Requests, and answers by fault",
            [api.metric_count(statistic="Sum")],
            [api.metric_client_error(statistic="Sum"), api.metric_server_error(statistic="Sum")],
        ),
        _graph("Latency, ms", [api.metric_latency(statistic=level, label=level) for level in ("p50", "p90", "p99")]),
    )
    page.add_widgets(
        _graph(
            "Function errors", [function_metric(one, "Errors", "Sum", label=name) for name, one in functions.items()]
        ),
        _graph(
            "Function duration p99, ms",
            [function_metric(one, "Duration", "p99", label=name) for name, one in functions.items()],
        ),
    )
    page.add_widgets(
        _graph(
            "Behind the table's stream, ms",
            [function_metric(functions[name], "IteratorAge", "Maximum", label=name) for name in streams],
        ),
        _graph(
            "Messages waiting",
            [queue_metric(queue, WAITING, label=name) for name, queue in queues.items()],
        ),
    )
    page.add_widgets(
        _graph(
            "Capacity units",
            [
                table.metric_consumed_read_capacity_units(statistic="Sum"),
                table.metric_consumed_write_capacity_units(statistic="Sum"),
            ],
        ),
        _graph(
            "Table: refused for their number",
            [table.metric(f"{kind}ThrottleEvents", statistic="Sum") for kind in ("Read", "Write")],
            [table.metric("ConditionalCheckFailedRequests", statistic="Sum")],
        ),
    )
    return page
