"""Functions: the catalogue, the folders and the template say the same, and none is left unbounded."""

from pathlib import Path

from infra.catalogue import CATALOGUE, Authorizer, FromQueue, FromStream, Http
from loyalty.routes import ROUTES
from loyalty.runtime import relay
from tests.stack.conftest import ROOT, Synthesised

NAMES = {one.name for one in CATALOGUE}


def test_every_folder_under_functions_has_its_entry_in_the_catalogue_and_the_reverse() -> None:
    folders = {path.parent.name for path in (ROOT / "functions").glob("*/handler.py")}
    assert folders == NAMES


def test_every_function_that_routes_name_is_started_by_http_and_the_reverse() -> None:
    assert {route.function for route in ROUTES} == {one.name for one in CATALOGUE if isinstance(one.trigger, Http)}


def test_there_is_one_authoriser() -> None:
    assert [one.name for one in CATALOGUE if isinstance(one.trigger, Authorizer)] == ["authorize"]


def test_whoever_takes_something_from_the_relay_drains_the_queue_of_its_name() -> None:
    (found,) = (one for one in CATALOGUE if one.name == "relay")
    assert set(found.sends_to) == set(relay.TAKES)
    assert {one.name for one in CATALOGUE if one.trigger in _drains()} == set(relay.TAKES)
    assert isinstance(found.trigger, FromStream)
    for event in ("INSERT", "MODIFY", "REMOVE"):
        for kind in {*relay.NEW, *relay.CHANGED, "head"}:
            wanted = any(one.takes(event, kind) for one in relay.TAKES.values())
            assert found.trigger.takes(event, kind) is wanted


def _drains() -> list[FromQueue]:
    return [one.trigger for one in CATALOGUE if isinstance(one.trigger, FromQueue) and one.trigger.queue in relay.TAKES]


def test_every_function_of_the_catalogue_is_deployed(stage: Synthesised) -> None:
    assert set(stage.functions()) == NAMES


def test_every_function_has_the_runtime_architecture_and_handler_we_build_for(stage: Synthesised) -> None:
    for name, function in stage.functions().items():
        assert function["Runtime"] == "python3.13"
        assert function["Architectures"] == ["arm64"]
        assert function["Handler"] == f"functions.{name}.handler.lambda_handler"


def test_every_function_has_its_own_memory_timeout_and_tracing(stage: Synthesised) -> None:
    least = stage.stage.least_timeout_s
    declared = {one.name: (one.memory_mb, max(one.timeout_s, least)) for one in CATALOGUE}
    for name, function in stage.functions().items():
        assert (function["MemorySize"], function["Timeout"]) == declared[name]
        assert function["TracingConfig"] == {"Mode": "Active"}


def test_only_in_the_emulator_may_a_function_take_longer_than_the_catalogue_says(stage: Synthesised) -> None:
    assert (stage.stage.least_timeout_s > 0) == stage.stage.functions_run_here


def test_every_function_has_a_role_of_its_own(stage: Synthesised) -> None:
    roles = [function["Role"]["Fn::GetAtt"][0] for function in stage.functions().values()]
    assert len(set(roles)) == len(NAMES)


def test_every_function_writes_json_to_a_log_group_of_its_own(stage: Synthesised) -> None:
    groups = []
    for function in stage.functions().values():
        logging = function["LoggingConfig"]
        assert logging["LogFormat"] == "JSON"
        groups.append(logging["LogGroup"]["Ref"])
    assert len(set(groups)) == len(NAMES)


def test_every_line_at_level_error_is_counted(stage: Synthesised) -> None:
    filters = stage.properties("AWS::Logs::MetricFilter").values()
    counted = {one["LogGroupName"]["Ref"] for one in filters}
    assert counted == {function["LoggingConfig"]["LogGroup"]["Ref"] for function in stage.functions().values()}
    for one in filters:
        assert one["FilterPattern"] == '{ $.level = "ERROR" }'
        assert one["MetricTransformations"][0]["MetricNamespace"] == f"loyalty-{stage.stage.name}"


def test_every_log_group_forgets_after_as_many_days_as_the_stage_says(stage: Synthesised) -> None:
    for group in stage.properties("AWS::Logs::LogGroup").values():
        assert group["RetentionInDays"] == stage.stage.log_retention_days


def test_own_code_is_in_every_function_and_third_party_packages_where_they_are_imported(prod: Synthesised) -> None:
    for one in CATALOGUE:
        layers = prod.functions()[one.name]["Layers"]
        assert len(layers) == 1 + one.third_party + one.science


def test_functions_in_the_emulator_bring_no_packages_for_another_machine(local: Synthesised) -> None:
    assert all(len(function["Layers"]) == 1 for function in local.functions().values())


def test_a_package_holds_its_function_and_nothing_else(prod: Synthesised, synthesised_folder: Path) -> None:
    for one in CATALOGUE:
        key = prod.functions()[one.name]["Code"]["S3Key"]
        folder = synthesised_folder / f"asset.{key.removesuffix('.zip')}"
        files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        allowed = {"functions/__init__.py", *one.files}
        assert "functions/__init__.py" in files
        assert f"functions/{one.name}/handler.py" in files
        assert {path for path in files if not path.startswith(f"functions/{one.name}/")} <= allowed
        assert not any("__pycache__" in path for path in files)


def test_a_queue_hides_a_batch_six_times_as_long_as_it_may_take(stage: Synthesised) -> None:
    queues = {queue["QueueName"]: queue for queue in stage.properties("AWS::SQS::Queue").values()}
    drained = [(one.trigger.queue, one.timeout_s) for one in CATALOGUE if isinstance(one.trigger, FromQueue)]
    assert {name for name, _ in drained} == {
        "arm",
        "campaign_entry",
        "delivery",
        "ingest",
        "notify",
        "partners",
        "recover",
        "replay",
        "segment_members",
        "webhook",
    }
    for name, timeout in drained:
        assert queues[f"loyalty-{stage.stage.name}-{name}"]["VisibilityTimeout"] == max(
            6 * timeout, stage.stage.least_timeout_s
        )


def test_only_what_is_late_on_purpose_waits_on_its_queue(stage: Synthesised) -> None:
    waits = {
        queue["QueueName"]: queue["DelaySeconds"]
        for queue in stage.properties("AWS::SQS::Queue").values()
        if "DelaySeconds" in queue
    }
    assert waits == {f"loyalty-{stage.stage.name}-recover": 5}


def test_every_source_reports_failures_one_by_one(stage: Synthesised) -> None:
    for mapping in stage.properties("AWS::Lambda::EventSourceMapping").values():
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_streams_are_followed_from_the_oldest_record_filtered_and_never_stuck(stage: Synthesised) -> None:
    followers = [one.name for one in CATALOGUE if isinstance(one.trigger, FromStream)]
    assert set(followers) == {"publish", "relay"}, "a shard of the stream serves two readers and no more"
    sources = stage.properties("AWS::Lambda::EventSourceMapping").values()
    mappings = [source for source in sources if "StartingPosition" in source]
    assert len(mappings) == len(followers)
    for mapping in mappings:
        assert mapping["StartingPosition"] == "TRIM_HORIZON"
        assert mapping["BisectBatchOnFunctionError"] is True
        assert 0 < mapping["MaximumRetryAttempts"] < 100
        assert mapping["DestinationConfig"]["OnFailure"]["Destination"]
        assert mapping["FilterCriteria"]["Filters"]
