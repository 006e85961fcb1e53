"""Where a local stack lies: its ports are chosen once, its keys are for its owner."""

import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.place import DEFAULT_PORT, LocalError, Place, at, default_folder, read_json, write_json


@pytest.fixture
def taken() -> Iterator[int]:
    """A port of this machine on which somebody else listens."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def test_a_place_keeps_the_port_it_was_made_with(tmp_path: Path, unused_port: int) -> None:
    made = at(tmp_path / "new", {"LOYALTY_PORT": str(unused_port)})
    again = at(tmp_path / "new", {"LOYALTY_PORT": "2000"})
    assert made == again == Place(tmp_path / "new", unused_port)
    assert made.endpoint == f"http://127.0.0.1:{unused_port}"
    assert made.api_url == f"http://127.0.0.1:{unused_port + 1}"


def test_without_a_wish_a_place_gets_two_free_ports_from_the_default_on(tmp_path: Path) -> None:
    made = at(tmp_path / "new", {})
    assert made.port >= DEFAULT_PORT
    for port in (made.port, made.api_port):
        with socket.socket() as probe:
            # Nobody listens there; what an earlier listener's last connections left behind does not count.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))


def test_a_wish_for_a_taken_port_is_refused_by_name(tmp_path: Path, taken: int) -> None:
    with pytest.raises(LocalError, match=f"LOYALTY_PORT: {taken} or {taken + 1} is taken"):
        at(tmp_path / "new", {"LOYALTY_PORT": str(taken)})
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("wish", ["", "x", "80", "65535", "-1", "4577.0"])
def test_a_wish_that_is_no_port_is_refused_by_name(tmp_path: Path, wish: str) -> None:
    with pytest.raises(LocalError, match="LOYALTY_PORT"):
        at(tmp_path / "new", {"LOYALTY_PORT": wish})


def test_the_folder_is_the_projects_own_unless_the_environment_names_another(tmp_path: Path) -> None:
    assert default_folder({}).name == ".local"
    assert default_folder({"LOYALTY_LOCAL": str(tmp_path)}) == tmp_path


def test_a_file_with_keys_can_be_read_by_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "stack.json"
    write_json(file, {"tokens": {"till": "t"}})
    write_json(file, {"tokens": {"till": "u"}})
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert read_json(file) == {"tokens": {"till": "u"}}
    assert read_json(tmp_path / "other.json") == {}


def test_everything_but_the_folder_itself_is_known_as_kept(tmp_path: Path, unused_port: int) -> None:
    place = at(tmp_path / "new", {"LOYALTY_PORT": str(unused_port)})
    write_json(place.stack_file, {})
    place.state.mkdir()
    assert {path.name for path in place.kept()} == {"port", "stack.json", "state"}


def test_aws_clients_are_led_to_the_emulator_and_away_from_every_account(tmp_path: Path) -> None:
    environment = Place(tmp_path, 4577).aws_environment()
    assert environment["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4577"
    assert environment["AWS_CONFIG_FILE"] == environment["AWS_SHARED_CREDENTIALS_FILE"] == "/dev/null"
