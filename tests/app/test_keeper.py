import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pytest

from thorp.app.config import ConfigFile, EditedMeanwhileError, Sources, evaluate, sources_of
from thorp.app.environment import Environment
from thorp.app.keeper import ChangeOutcome, ConfigKeeper, ConfigVetoError, change_file
from thorp.app.settings import Settings
from thorp.base.errors import ThorpError
from thorp.base.files import DISK, DiskFullError, write_atomically
from thorp.base.settings import BadValueError, UnknownKeyError, changed
from thorp.testing.faults import FaultKind, every_fault
from thorp.wire.capabilities.config import ChangeAnswer


class StubbornError(ThorpError):
    """What a part says that cannot follow."""


@dataclass
class Part:
    """A part of a node that follows settings and remembers what it was told."""

    objection: str = ""
    fails: bool = False
    told: list[tuple[str, ...]] = field(default_factory=list)
    now: Settings = field(default_factory=Settings)

    def review(self, _old: Settings, _new: Settings, /) -> tuple[str, ...]:
        return (self.objection,) if self.objection else ()

    async def apply(self, old: Settings, new: Settings, /) -> None:
        assert self.now == old
        await asyncio.sleep(0)
        if self.fails:
            raise StubbornError("this part cannot follow")
        self.told.append(changed(old, new))
        self.now = new


@dataclass
class Case:
    file: ConfigFile
    keeper: ConfigKeeper
    parts: tuple[Part, ...]

    def change(self, given: Mapping[str, object]) -> ChangeOutcome:
        return asyncio.run(self.keeper.change(given))

    def reload(self) -> ChangeOutcome:
        return asyncio.run(self.keeper.reload())


def case_of(file: ConfigFile, *parts: Part, environment: Environment | None = None) -> Case:
    sources = sources_of(file, environment or Environment())
    effective = evaluate(sources)
    for part in parts:
        part.now = effective.settings
    return Case(file, ConfigKeeper(file, sources, effective, parts), parts)


@pytest.fixture
def file(tmp_path: Path) -> ConfigFile:
    made = ConfigFile(tmp_path / "config.toml", DISK)
    made.replace(None, "# mine\n[local]\nport = 9001\n")
    return made


def test_a_live_setting_is_written_and_applied_at_once(file: ConfigFile) -> None:
    case = case_of(file, Part(), Part())

    outcome = case.change({"logs.level": "debug", "local.hosts": ["attic"]})

    assert outcome == ChangeOutcome(applied=("local.hosts", "logs.level"), needs_restart=())
    assert [part.told for part in case.parts] == [[("local.hosts", "logs.level")]] * 2
    assert case.keeper.running.logs.level == "debug"
    assert file.read() == '# mine\n[local]\nport = 9001\nhosts = ["attic"]\n\n[logs]\nlevel = "debug"\n'


def test_another_setting_is_written_and_waits_for_the_restart(file: ConfigFile) -> None:
    case = case_of(file, Part())

    outcome = case.change({"local.port": "9002"})

    assert outcome == ChangeOutcome(applied=(), needs_restart=("local.port",))
    assert case.parts[0].now.local.port == 9001
    assert case.keeper.running.local.port == 9001
    assert case.keeper.effective.settings.local.port == 9002
    assert case.change({"local.port": 9001}).needs_restart == ()


def test_what_waits_for_the_restart_is_told_until_then(file: ConfigFile) -> None:
    case = case_of(file, Part())
    case.change({"local.port": 9002})

    assert case.change({"logs.level": "error"}).needs_restart == ("local.port",)
    assert case.keeper.needs_restart == ("local.port",)


def test_an_objection_leaves_everything_as_it_was(file: ConfigFile) -> None:
    case = case_of(file, Part(), Part(objection="The port 9002 is taken by the printer."))
    before = file.read()

    with pytest.raises(ConfigVetoError, match=r"Nothing was changed: The port 9002 is taken by the printer\."):
        case.change({"local.port": 9002, "logs.level": "debug"})

    assert file.read() == before
    assert [part.told for part in case.parts] == [[], []]
    assert case.keeper.running == case.keeper.effective.settings == case.parts[0].now


def test_what_would_be_refused_as_a_change_is_no_start_either(file: ConfigFile) -> None:
    case_of(file, Part()).keeper.check()
    with pytest.raises(ConfigVetoError, match=r"The node does not start: Everybody could reach that address\."):
        case_of(file, Part(), Part("Everybody could reach that address.")).keeper.check()


def test_a_part_that_fails_takes_the_file_and_the_earlier_parts_back(file: ConfigFile) -> None:
    case = case_of(file, Part(), Part(), Part(fails=True), Part())
    before = file.read()

    with pytest.raises(StubbornError):
        case.change({"logs.level": "debug"})

    assert file.read() == before
    assert [part.told for part in case.parts] == [[("logs.level",)] * 2, [("logs.level",)] * 2, [], []]
    assert {part.now.logs.level.value for part in case.parts} == {"info"}
    assert case.keeper.running.logs.level == "info"


def test_a_file_that_was_not_there_is_gone_again_after_a_failure(tmp_path: Path) -> None:
    file = ConfigFile(tmp_path / "config.toml", DISK)
    case = case_of(file, Part(fails=True))

    with pytest.raises(StubbornError):
        case.change({"logs.level": "debug"})

    assert not file.path.exists()


def test_a_cancelled_change_is_taken_back(file: ConfigFile) -> None:
    @dataclass
    class Slow(Part):
        reached: asyncio.Event = field(default_factory=asyncio.Event)

        async def apply(self, _old: Settings, _new: Settings, /) -> None:
            self.reached.set()
            await asyncio.Event().wait()

    slow = Slow()
    case = case_of(file, Part(), slow)
    before = file.read()

    async def interrupted() -> None:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(case.keeper.change({"logs.level": "debug"}))
            await slow.reached.wait()
            task.cancel()

    asyncio.run(interrupted())

    assert file.read() == before
    assert case.parts[0].now.logs.level == "info"


def test_A37_a_full_disk_at_any_moment_changes_nothing() -> None:
    path = Path("/config.toml")
    for files in every_fault((FaultKind.NO_SPACE,)):
        write_atomically(files, path, b"[local]\nport = 9001\n")
        case = case_of(ConfigFile(path, files), Part())
        files.arm()
        with suppress(DiskFullError):
            case.change({"logs.level": "debug"})

        changed_it = not files.fired
        assert (b"debug" in files.read(path, 1000)) is changed_it
        assert (case.keeper.running.logs.level == "debug") is changed_it
        assert (case.parts[0].now.logs.level == "debug") is changed_it


def test_a_variable_that_shadows_the_file_is_told(file: ConfigFile) -> None:
    case = case_of(file, Part(), environment=Environment.of({"THORP_LOGS_LEVEL": "error"}))

    outcome = case.change({"logs.level": "debug"})

    assert outcome == ChangeOutcome(applied=(), needs_restart=(), shadowed=("logs.level",))
    assert 'level = "debug"' in (file.read() or "")
    assert case.keeper.running.logs.level == "error"


def test_none_takes_a_key_out_of_the_file(file: ConfigFile) -> None:
    case = case_of(file, Part())
    case.change({"logs.level": "debug"})

    assert case.change({"logs.level": None}).applied == ("logs.level",)
    assert case.keeper.running.logs.level == "info"


@pytest.mark.parametrize(
    ("given", "error"), [({"local.prot": 1}, UnknownKeyError), ({"local.port": "web"}, BadValueError)]
)
def test_a_mistake_is_refused_before_anything_happens(
    file: ConfigFile, given: dict[str, object], error: type[ThorpError]
) -> None:
    case = case_of(file, Part())
    before = file.read()

    with pytest.raises(error):
        case.change(given)
    assert file.read() == before


def test_a_mistake_that_stands_in_the_file_can_be_mended_by_a_change(file: ConfigFile) -> None:
    case = case_of(file, Part())
    file.path.write_text("[local]\nprot = 1\n")

    with pytest.raises(UnknownKeyError):
        case.change({"logs.level": "debug"})
    case.change({"local.prot": None})
    assert file.read() == ""


def test_one_of_two_mistakes_can_be_taken_out_and_the_other_setting_stays_as_it_runs(file: ConfigFile) -> None:
    case = case_of(file, Part())
    case.change({"local.hosts": ["attic"]})
    file.path.write_text("[local]\nprot = 1\nhosts = 5\n")

    case.change({"local.prot": None})

    assert file.read() == "[local]\nhosts = 5\n"
    assert case.keeper.running.local.hosts == case.parts[0].now.local.hosts == ("attic",)
    with pytest.raises(BadValueError, match=r"config\.toml, line 2"):
        case.change({"logs.level": "debug"})
    assert file.read() == "[local]\nhosts = 5\n"


def test_a_file_edited_by_hand_is_followed_on_reload(file: ConfigFile) -> None:
    case = case_of(file, Part())
    file.path.write_text('[local]\nport = 9002\n[logs]\nlevel = "debug"\n')

    assert case.reload() == ChangeOutcome(applied=("logs.level",), needs_restart=("local.port",))
    assert case.reload() == ChangeOutcome(applied=(), needs_restart=("local.port",))


def test_a_wrong_or_refused_file_is_told_on_reload_and_nothing_follows(file: ConfigFile) -> None:
    case = case_of(file, Part(objection="No."))
    file.path.write_text("[local]\nport = -1\n")
    with pytest.raises(BadValueError):
        case.reload()
    file.path.write_text("[local]\nport = 9002\n")
    with pytest.raises(ConfigVetoError):
        case.reload()

    assert case.keeper.effective.settings.local.port == 9001
    assert file.read() == "[local]\nport = 9002\n"


def test_two_changes_at_once_are_one_after_the_other(file: ConfigFile) -> None:
    case = case_of(file, Part())

    async def both() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(case.keeper.change({"logs.level": "debug"}))
            group.create_task(case.keeper.change({"local.hosts": "attic,barn"}))

    asyncio.run(both())

    settings = evaluate(Sources(file.read() or "")).settings
    assert (settings.logs.level, settings.local.hosts) == ("debug", ("attic", "barn"))
    assert case.keeper.running == settings


def test_the_outcome_is_what_the_api_promises(file: ConfigFile) -> None:
    ChangeAnswer.model_validate_json(json.dumps(asdict(case_of(file).change({"logs.level": "debug"}))))


def test_without_a_node_the_file_alone_is_changed(file: ConfigFile) -> None:
    sources = sources_of(file, Environment.of({"THORP_LOGS_LEVEL": "error"}))

    effective = change_file(file, sources, {"local.port": "9002", "logs.level": "debug"})

    assert effective.settings.local.port == 9002
    assert effective.shadowed(("local.port", "logs.level")) == ("logs.level",)
    assert "9002" in (file.read() or "")
    with pytest.raises(BadValueError):
        change_file(file, sources, {"local.port": "-1"})


def test_a_change_without_effect_writes_nothing(tmp_path: Path) -> None:
    file = ConfigFile(tmp_path / "config.toml", DISK)

    change_file(file, sources_of(file, Environment()), {"local.port": None})

    assert not file.path.exists()


def test_an_edit_between_read_and_write_wins(file: ConfigFile) -> None:
    class Meddled(ConfigFile):
        def read(self) -> str | None:
            text = super().read()
            self.path.write_text("# by hand\n")
            return text

    meddled = Meddled(file.path, DISK)
    with pytest.raises(EditedMeanwhileError):
        change_file(meddled, Sources(), {"local.port": 9002})
    assert file.read() == "# by hand\n"
