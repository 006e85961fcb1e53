"""What clients are made from: the same descriptions that botocore reads, and a collector that works afterwards."""

import gc
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.loaders import create_loader

from loyalty.table import session

SERVICES = ("dynamodb", "events", "secretsmanager", "sesv2", "sns", "sqs", "stepfunctions")
"""Those that functions call."""


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")


@pytest.fixture
def collecting() -> Iterator[None]:
    before = gc.isenabled()
    yield
    (gc.enable if before else gc.disable)()


def loader() -> Any:
    """One that reads as the session's does, and has read nothing yet: who gets a description may change it."""
    fresh = create_loader()
    fresh.file_loader = session._session().get_component("data_loader").file_loader  # noqa: SLF001 - what clients are made from
    return fresh


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("kind", ["service-2", "endpoint-rule-set-1", "paginators-1"])
def test_services_are_described_as_botocore_describes_them(service: str, kind: str) -> None:
    ours, theirs = (one.load_service_model(service, kind) for one in (loader(), create_loader()))
    assert ours == theirs
    assert list(ours) == list(theirs)


@pytest.mark.parametrize("name", ["endpoints", "partitions", "sdk-default-configuration", "_retry"])
def test_so_is_what_all_services_share(name: str) -> None:
    assert loader().load_data(name) == create_loader().load_data(name)


def test_a_service_that_there_is_not_is_found_by_neither() -> None:
    assert loader().file_loader.load_file("nowhere") is None
    assert loader().list_available_services("service-2") == create_loader().list_available_services("service-2")


@pytest.mark.parametrize("on", [True, False])
def test_the_collector_goes_on_as_before(collecting: None, on: bool) -> None:
    (gc.enable if on else gc.disable)()
    session.make_client("dynamodb", region_name="eu-central-1")
    assert gc.isenabled() is on


def test_and_does_where_no_client_could_be_made(collecting: None) -> None:
    gc.enable()
    with pytest.raises(Exception, match="nothing-of-the-kind"):
        session.make_client("nothing-of-the-kind", region_name="eu-central-1")
    assert gc.isenabled()


def test_only_what_was_there_with_the_first_client_is_left_out_for_good() -> None:
    session.make_client("dynamodb", region_name="eu-central-1")
    frozen = gc.get_freeze_count()
    assert frozen > 0
    session.make_client("sqs", region_name="eu-central-1")
    assert gc.get_freeze_count() <= frozen
