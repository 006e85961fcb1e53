"""What every suite shares: no way to a real AWS account, tables on both engines, and the count of what was tried."""

import os
import shutil
import tempfile
import time
import uuid
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest

from tests import tally
from tests.engines import DYNAMODB_LOCAL, ENGINES, MOTO, create_table, local

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

    TableOn = Callable[[str], tuple[DynamoDBClient, str]]

RUN_OWNER = "LOYALTY_TEST_RUN_OWNER"
"""Environment: the process id of the run's first process, with which its servers end."""


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def pytest_configure(config: pytest.Config) -> None:
    # Whatever account this machine is signed in to, no test may reach it.
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",
        AWS_DEFAULT_REGION="eu-central-1",
        AWS_EC2_METADATA_DISABLED="true",
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
    )
    if not _is_worker(config):
        os.environ[tally.RUN_FOLDER] = tempfile.mkdtemp(prefix="loyalty-tests-")
        os.environ[RUN_OWNER] = str(os.getpid())


def pytest_sessionfinish() -> None:
    tally.save()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in [*tally.said(_run_folder()), tally.line(_run_folder())]:
        terminalreporter.write_line(line)


def pytest_unconfigure(config: pytest.Config) -> None:
    if not _is_worker(config):
        local.stop(_run_folder())
        shutil.rmtree(_run_folder(), ignore_errors=True)


def _run_folder() -> Path:
    return Path(os.environ[tally.RUN_FOLDER])


@pytest.fixture(scope="session")
def dynamodb_local() -> str:
    """The address of this run's DynamoDB Local; one server for all workers. Without Java or Maven, tests fail."""
    try:
        return local.shared(_run_folder(), int(os.environ[RUN_OWNER])).endpoint
    except local.EngineMissing as missing:
        pytest.fail(str(missing), pytrace=False)


@pytest.fixture(scope="session")
def connect_to() -> "Iterator[Callable[[str | None], DynamoDBClient]]":
    """The product's own client for an address, made once; for None it is one for AWS, which only moto answers here."""
    import moto  # noqa: F401 - its hooks must be in botocore before a client is made

    from loyalty.table.client import connect

    clients: dict[str | None, DynamoDBClient] = {}

    def client_for(endpoint: str | None) -> "DynamoDBClient":
        if endpoint not in clients:
            chosen = {} if endpoint is None else {"AWS_ENDPOINT_URL_DYNAMODB": endpoint}
            with patch.dict(os.environ, chosen):
                client: Any = connect()
            clients[endpoint] = client
        return clients[endpoint]

    yield client_for
    for client in clients.values():
        client.close()


@pytest.fixture
def table_on(
    request: pytest.FixtureRequest, connect_to: "Callable[[str | None], DynamoDBClient]"
) -> "Iterator[TableOn]":
    """``table_on(engine)`` gives (client, fresh table's name) on ``"dynamodb-local"`` or ``"moto"``."""
    from moto import mock_aws

    with ExitStack() as stack:

        def make(engine: str) -> "tuple[DynamoDBClient, str]":
            if engine == MOTO:
                stack.enter_context(mock_aws())
                client = connect_to(None)
            elif engine == DYNAMODB_LOCAL:
                client = connect_to(request.getfixturevalue("dynamodb_local"))
            else:
                raise ValueError(f"no such engine: {engine}")
            name = f"loyalty-{uuid.uuid4().hex[:12]}"
            create_table(client, name)
            stack.callback(client.delete_table, TableName=name)
            return client, name

        yield make


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> float:
    """The clock on the wall stands still: no second, no day and no year ends in the middle of the test."""
    moment = time.time()
    monkeypatch.setattr("time.time", lambda: moment)
    return moment


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """Each engine in turn."""
    return str(request.param)


@pytest.fixture
def table(table_on: "TableOn", engine: str) -> "tuple[DynamoDBClient, str]":
    """(client, fresh table's name), on each engine in turn."""
    return table_on(engine)
