import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import libtorrent
import pytest

from thorp.base.errors import ThorpError
from thorp.swarm.engine import CannotListenError, Engine, MovingError, NoFileError
from thorp.swarm.native import GoneError, UnreadableTorrentError, read
from thorp.swarm.profile import household, public
from thorp.swarm.recipes import bencode

SEED, FIRST, SECOND, FREE, STRANGER = "127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5", "127.0.0.9"
EVERYBODY = (SEED, FIRST, SECOND)


def seeding(swarm: Any, data: bytes, *, open_to: tuple[str, ...] = EVERYBODY) -> tuple[Engine, bytes]:
    engine = swarm.engine(SEED, open_to=open_to)
    torrent = swarm.torrent(data)
    engine.seed(torrent, swarm.file("seed/blob", data))
    return engine, torrent


def test_a_file_goes_from_one_engine_to_another_under_other_names(swarm, tmp_path):
    data = swarm.data(20)
    seed, torrent = seeding(swarm, data)
    leech = swarm.engine(FIRST, open_to=EVERYBODY)
    at = tmp_path / "in" / "partial"
    at.parent.mkdir()
    download = leech.fetch(torrent, at, None)
    download.add_peers([(SEED, seed.port)])
    assert swarm.finish(download) == b"\x01" * 20
    assert at.read_bytes() == data
    assert [one.name for one in at.parent.iterdir()] == ["partial"]
    assert leech.traffic().down >= len(data)
    assert seed.traffic().up >= len(data)
    assert seed.traffic().uploads.keys() == {read(torrent).infohash}


def test_a_file_behind_a_symlink_is_shared(swarm, tmp_path):
    data = swarm.data(3)
    blob = swarm.file("blobs/abc", data)
    link = tmp_path / "snapshots" / "model.gguf"
    link.parent.mkdir()
    link.symlink_to(Path("../blobs/abc"))
    seed = swarm.engine(SEED, open_to=EVERYBODY)
    seed.seed(swarm.torrent(data), link)
    leech = swarm.engine(FIRST, open_to=EVERYBODY)
    download = leech.fetch(swarm.torrent(data), tmp_path / "partial", None)
    download.add_peers([(SEED, seed.port)])
    swarm.finish(download)
    assert (tmp_path / "partial").read_bytes() == data
    assert blob.read_bytes() == data


def test_one_downloader_feeds_the_other_before_it_has_all(swarm, tmp_path):
    data = swarm.data(40)
    seed, torrent = seeding(swarm, data, open_to=(FIRST,))
    first, second = swarm.engine(FIRST, open_to=EVERYBODY), swarm.engine(SECOND, open_to=EVERYBODY)
    near, far = (one.fetch(torrent, tmp_path / str(at), None) for at, one in enumerate((first, second)))
    near.add_peers([(SEED, seed.port)])
    far.add_peers([(FIRST, first.port)])
    swarm.until(far, lambda standing: standing.finished)
    assert far.close() == near.close() == b"\x01" * 40
    assert (tmp_path / "1").read_bytes() == data


def test_E64_before_anybody_is_named_the_engine_speaks_to_nobody(swarm):
    data = swarm.data(2)
    engine = Engine(household((SEED,), 0))
    swarm.engines.append(engine)
    engine.start()
    torrent = swarm.torrent(data)
    engine.seed(torrent, swarm.file("blob", data))
    with swarm.handshake(FIRST, engine, SEED, read(torrent).infohash) as line:
        assert swarm.answer(line) == b""


def test_a_stranger_who_knows_infohash_port_and_torrent_gets_no_byte(swarm, tmp_path):
    data = swarm.data(4)
    seed, torrent = seeding(swarm, data, open_to=(FIRST,))
    infohash = read(torrent).infohash
    with swarm.handshake(FIRST, seed, SEED, infohash) as line:
        assert swarm.answer(line).startswith(b"\x13BitTorrent protocol")
    with swarm.handshake(STRANGER, seed, SEED, infohash) as line:
        assert swarm.answer(line) == b""
    stranger = swarm.engine(STRANGER, open_to=EVERYBODY)
    theirs = stranger.fetch(torrent, tmp_path / "theirs", None)
    theirs.add_peers([(SEED, seed.port)])
    friend = swarm.engine(FIRST, open_to=EVERYBODY)
    ours = friend.fetch(torrent, tmp_path / "ours", None)
    ours.add_peers([(SEED, seed.port)])
    swarm.finish(ours)
    assert theirs.standing().done == 0
    assert seed.traffic().up < 2 * len(data)


def test_E67_closing_the_gate_cuts_a_live_peer(swarm, tmp_path):
    data = swarm.data(200)
    seed, torrent = seeding(swarm, data)
    seed.limit(down=0, up=50_000)
    leech = swarm.engine(FIRST, open_to=EVERYBODY)
    download = leech.fetch(torrent, tmp_path / "partial", None)
    download.add_peers([(SEED, seed.port)])
    with swarm.handshake(SECOND, seed, SEED, read(torrent).infohash) as line:
        assert swarm.answer(line)
        swarm.until(download, lambda standing: standing.done > 0)
        seed.open_to((SECOND,))
        swarm.until(download, lambda standing: not standing.peers)
        assert not download.standing().finished
        seed.open_to(())
        assert swarm.is_cut(line)
    assert seed.traffic().peers == 0


def test_the_same_gate_again_cuts_nobody(swarm):
    data = swarm.data(2)
    seed, torrent = seeding(swarm, data)
    with swarm.handshake(FIRST, seed, SEED, read(torrent).infohash) as line:
        assert swarm.answer(line)
        seed.open_to(tuple(reversed(EVERYBODY)))
        assert seed.traffic().peers == 1


def test_what_is_no_address_is_not_let_in(swarm):
    with pytest.raises(ValueError, match="not appear to be"):
        swarm.engine(SEED).open_to(["0.0.0.0/0"])


@pytest.mark.parametrize("side", ["up", "down"])
def test_limits_hold_for_peers_of_the_own_network(swarm, tmp_path, side):
    """The unlimited transfer beside it, begun later, is the clock."""
    data = swarm.data(200)
    seed, torrent = seeding(swarm, data)
    leech, other = swarm.engine(FIRST, open_to=EVERYBODY), swarm.engine(SECOND, open_to=EVERYBODY)
    limited = seed if side == "up" else leech
    limited.limit(up=20_000 if side == "up" else 0, down=20_000 if side == "down" else 0)
    slow = leech.fetch(torrent, tmp_path / "slow", None)
    slow.add_peers([(SEED, seed.port)])
    swarm.until(slow, lambda standing: standing.done > 0)
    free = swarm.engine(FREE, open_to=(*EVERYBODY, FREE))
    free.seed(torrent, swarm.file("free", data))
    fast = other.fetch(torrent, tmp_path / "fast", None)
    other.open_to((FREE,))
    fast.add_peers([(FREE, free.port)])
    swarm.finish(fast)
    assert slow.standing().done < len(data) // 4
    limited.limit(up=0, down=0)
    swarm.finish(slow)


def test_a_shared_file_is_never_written_to(swarm):
    seed, _ = seeding(swarm, swarm.data(2))
    (shared,) = seed._seeds.values()
    assert shared.handle.flags() & libtorrent.torrent_flags.upload_mode


def test_seeding_twice_is_seeding_once_and_a_file_may_move(swarm, tmp_path):
    data = swarm.data(2)
    seed, torrent = seeding(swarm, data)
    infohash = read(torrent).infohash
    with swarm.handshake(FIRST, seed, SEED, infohash) as line:
        assert swarm.answer(line)
        seed.seed(torrent, tmp_path / "seed" / "blob")
        assert seed.traffic().peers == 1
        seed.seed(torrent, swarm.file("elsewhere", data))
        assert swarm.is_cut(line)
    assert seed.seeds() == {infohash}


def test_unseeding_cuts_the_peers_and_closes_the_file(swarm):
    data = swarm.data(2)
    seed, torrent = seeding(swarm, data)
    infohash = read(torrent).infohash
    with swarm.handshake(FIRST, seed, SEED, infohash) as line:
        assert swarm.answer(line)
        seed.unseed(infohash)
        assert swarm.is_cut(line)
    assert seed.seeds() == frozenset()
    seed.unseed(infohash)
    seed.seed(torrent, swarm.file("seed/blob", data))
    assert seed.seeds() == {infohash}


def test_a_file_that_is_not_there_or_of_another_length_is_not_shared(swarm, tmp_path):
    seed = swarm.engine(SEED)
    data = swarm.data(2)
    for at in (tmp_path / "missing", swarm.file("short", data[:-1]), tmp_path):
        with pytest.raises(NoFileError):
            seed.seed(swarm.torrent(data), at)
    assert seed.seeds() == frozenset()


def test_a_file_that_the_system_does_not_let_us_look_at_is_refused_in_our_own_words(swarm, tmp_path):
    seed, data = swarm.engine(SEED), swarm.data(2)
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    for at in (tmp_path / ("x" * 300), loop):
        with pytest.raises(ThorpError):
            seed.seed(swarm.torrent(data), at)
    assert seed.seeds() == frozenset()


def test_a_shared_file_that_vanishes_is_no_longer_shared_and_never_written(swarm, tmp_path):
    data = swarm.data(20)
    seed, torrent = seeding(swarm, data)
    (tmp_path / "seed" / "blob").unlink()
    leech = swarm.engine(FIRST, open_to=EVERYBODY)
    download = leech.fetch(torrent, tmp_path / "partial", None)
    download.add_peers([(SEED, seed.port)])
    while seed.seeds():
        download.wait(0.05)
    assert not (tmp_path / "seed" / "blob").exists()
    seed.seed(torrent, swarm.file("seed/blob", data))
    download.add_peers([(SEED, seed.port)])
    swarm.finish(download)


def test_one_torrent_moves_in_one_direction_at_a_time(swarm, tmp_path):
    data = swarm.data(2)
    seed, torrent = seeding(swarm, data)
    with pytest.raises(MovingError):
        seed.fetch(torrent, tmp_path / "partial", None)
    leech = swarm.engine(FIRST)
    download = leech.fetch(torrent, tmp_path / "partial", None)
    with pytest.raises(MovingError):
        leech.fetch(torrent, tmp_path / "other", None)
    with pytest.raises(MovingError):
        leech.seed(torrent, swarm.file("copy", data))
    download.close()
    leech.seed(torrent, swarm.file("copy", data))
    assert leech.seeds() == {read(torrent).infohash}


def test_what_was_had_before_is_not_fetched_again(swarm, tmp_path):
    data = swarm.data(40)
    seed, torrent = seeding(swarm, data)
    at = tmp_path / "partial"
    leech = swarm.engine(FIRST, open_to=EVERYBODY)
    download = leech.fetch(torrent, at, None)
    download.limit(200_000)
    download.add_peers([(SEED, seed.port)])
    swarm.until(download, lambda standing: sum(standing.have) > 2)
    have = download.close()
    leech.stop()
    assert 2 < sum(have) < 40
    again = swarm.engine(FIRST, open_to=EVERYBODY)
    download = again.fetch(torrent, at, [bool(one) for one in have])
    assert swarm.until(download, lambda standing: not standing.checking).have == have
    download.add_peers([(SEED, seed.port)])
    swarm.finish(download)
    assert at.read_bytes() == data
    assert again.traffic().down <= (40 - sum(have) + 1) * 65536


KILLED = """
import sys
from pathlib import Path
from thorp.swarm.engine import Engine
from thorp.swarm.profile import household
torrent, at, port = Path(sys.argv[1]).read_bytes(), Path(sys.argv[2]), int(sys.argv[3])
engine = Engine(household(("127.0.0.3",), 0))
engine.open_to(["127.0.0.2"])
engine.start()
download = engine.fetch(torrent, at, None)
download.limit(300_000)
download.add_peers([("127.0.0.2", port)])
while sum(download.standing().have) < 5:
    download.wait(0.05)
print("under way", flush=True)
while True:
    download.wait(10)
"""


def test_after_a_kill_what_lies_there_is_checked_and_used(swarm, tmp_path):
    data = swarm.data(60)
    seed, torrent = seeding(swarm, data)
    at = tmp_path / "partial"
    arguments = [str(swarm.file("x.torrent", torrent)), str(at), str(seed.port)]
    with subprocess.Popen([sys.executable, "-c", KILLED, *arguments], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"under way\n"
        process.kill()
    leech = swarm.engine(FIRST, open_to=EVERYBODY)
    download = leech.fetch(torrent, at, None)
    swarm.until(download, lambda standing: not standing.checking)
    download.add_peers([(SEED, seed.port)])
    swarm.finish(download)
    assert at.read_bytes() == data


def test_what_lies_there_and_is_wrong_is_fetched_anew(swarm, tmp_path):
    data = swarm.data(10)
    seed, torrent = seeding(swarm, data)
    at = swarm.file("partial", data[: 5 * 65536] + bytes(len(data) - 5 * 65536))
    leech = swarm.engine(FIRST, open_to=EVERYBODY)
    download = leech.fetch(torrent, at, None)
    assert swarm.until(download, lambda standing: not standing.checking).have == b"\x01" * 5 + bytes(5)
    download.add_peers([(SEED, seed.port)])
    swarm.finish(download)
    assert at.read_bytes() == data


def test_a_have_of_another_length_is_a_mistake_of_the_caller(swarm, tmp_path):
    with pytest.raises(ValueError, match="each piece"):
        swarm.engine(FIRST).fetch(swarm.torrent(swarm.data(4)), tmp_path / "x", [True])


def test_D52_what_is_no_torrent_of_one_file_is_refused(swarm, tmp_path):
    several = {"files": [{"length": 1, "path": ["a"]}, {"length": 1, "path": ["..", "b"]}], "name": "x"}
    broken = [b"", b"d4:infoi1ee", bencode({"info": {**several, "piece length": 65536, "pieces": bytes(20)}})]
    engine = swarm.engine(FIRST)
    for content in broken:
        with pytest.raises(UnreadableTorrentError):
            engine.fetch(content, tmp_path / "x", None)
    assert not (tmp_path / "x").exists()


def test_D53_E76_trackers_and_web_seeds_of_a_torrent_are_never_asked(swarm, tmp_path):
    data = swarm.data(2)
    torrent = swarm.torrent(
        data,
        announce="http://127.0.0.1:9/announce",
        **{"url-list": ["http://127.0.0.1:9/x"], "nodes": [["127.0.0.1", 9]]},
    )
    handle = swarm.engine(FIRST).fetch(torrent, tmp_path / "x", None).handle
    assert handle.trackers() == handle.url_seeds() == []


def test_E76_a_torrent_of_the_household_is_off_dht_pex_and_lsd(swarm, tmp_path):
    engine = swarm.engine(FIRST)
    flags = engine.fetch(swarm.torrent(swarm.data(2)), tmp_path / "x", None).handle.flags()
    words = libtorrent.torrent_flags
    for one in (words.disable_dht, words.disable_pex, words.disable_lsd, words.apply_ip_filter):
        assert flags & one
    assert not flags & words.auto_managed


@pytest.mark.parametrize("dht", [True, False])
def test_a_public_torrent_is_in_the_dht_only_when_its_publisher_wants(swarm, dht):
    data = swarm.data(2)
    engine = swarm.engine(FIRST, profile=public((FIRST,), 0, near=True))
    torrent = swarm.torrent(data)
    engine.seed(torrent, swarm.file("x", data), dht=dht)
    flags = dict(engine._handles())[read(torrent).infohash].flags()
    words = libtorrent.torrent_flags
    assert (not flags & words.disable_dht, not flags & words.disable_pex) == (dht, True)


def test_all_addresses_have_the_one_port(swarm):
    engine = Engine(household((FIRST, SECOND), 0))
    swarm.engines.append(engine)
    engine.start()
    for address in (FIRST, SECOND):
        socket.create_connection((address, engine.port), timeout=30).close()


def test_interfaces_come_and_go_and_the_port_stays(swarm):
    engine = swarm.engine(FIRST)
    port = engine.port
    engine.listen_on([SECOND])
    assert engine.port == port
    socket.create_connection((SECOND, port), timeout=30).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((FIRST, port), timeout=30)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((FIRST,), (FIRST, SECOND)),
        ((FIRST, SECOND), (FIRST,)),
        ((FIRST, SECOND), (SECOND, FIRST)),
        ((FIRST, SECOND), (SECOND, SEED)),
        ((FIRST,), (FIRST,)),
    ],
)
def test_E60_an_address_that_stays_goes_on_beside_those_that_come_and_go(swarm, before, after):
    engine = swarm.engine("", profile=household(before, 0))
    port = engine.port
    engine.listen_on(after)
    assert (engine.port, engine.trouble) == (port, "")
    assert set(after) == {one for one in (FIRST, SECOND, SEED) if answers(one, port)}


def answers(address, port):
    try:
        socket.create_connection((address, port), timeout=30).close()
    except ConnectionRefusedError:
        return False
    return True


def test_E60_an_address_that_cannot_be_had_is_named_and_taken_once_it_can(swarm):
    engine = swarm.engine(FIRST)
    port = engine.port
    with socket.create_server((SECOND, port)):
        for _ in range(2):
            engine.listen_on([SECOND, FIRST])
            assert engine.port == port
            assert SECOND in engine.trouble
            assert FIRST not in engine.trouble
        assert answers(FIRST, port)
    engine.listen_on([SECOND, FIRST])
    assert (engine.port, engine.trouble) == (port, "")
    assert answers(SECOND, port)


def test_E60_a_first_address_that_is_gone_does_not_stop_the_start(swarm):
    engine = swarm.engine("", profile=household(("192.0.2.1", FIRST), 0))
    assert "192.0.2.1" in engine.trouble
    assert answers(FIRST, engine.port)


def test_where_no_address_is_left_that_is_an_error_and_the_next_one_is_taken(swarm):
    engine = swarm.engine(FIRST)
    with pytest.raises(CannotListenError, match=r"192\.0\.2\.1"):
        engine.listen_on(["192.0.2.1"])
    assert engine.port == 0
    engine.listen_on([SECOND])
    assert answers(SECOND, engine.port)


def test_a_port_that_is_taken_is_told(swarm):
    with socket.create_server((FIRST, 0)) as other:
        engine = Engine(household((FIRST,), other.getsockname()[1]))
        with pytest.raises(CannotListenError, match=FIRST):
            engine.start()
    engine.start()
    swarm.engines.append(engine)
    assert engine.port


def test_without_addresses_it_listens_nowhere_and_still_fetches(swarm, tmp_path):
    data = swarm.data(3)
    seed, torrent = seeding(swarm, data, open_to=("127.0.0.1", SEED))
    leech = Engine(household((), 0))
    swarm.engines.append(leech)
    leech.open_to(EVERYBODY)
    leech.start()
    assert leech.port == 0
    download = leech.fetch(torrent, tmp_path / "partial", None)
    download.add_peers([(SEED, seed.port)])
    swarm.finish(download)


def test_encryption_refuses_plain_talk_and_moves_bytes(swarm, tmp_path):
    data = swarm.data(3)
    torrent = swarm.torrent(data)
    seed = swarm.engine(SEED, open_to=EVERYBODY, profile=household((SEED,), 0, encrypt=True))
    seed.seed(torrent, swarm.file("blob", data))
    with swarm.handshake(FIRST, seed, SEED, read(torrent).infohash) as line:
        assert not swarm.answer(line).startswith(b"\x13BitTorrent")
    for address, encrypt in ((FIRST, True), (SECOND, False)):
        leech = swarm.engine(address, open_to=EVERYBODY, profile=household((address,), 0, encrypt=encrypt))
        download = leech.fetch(torrent, tmp_path / address, None)
        download.add_peers([(SEED, seed.port)])
        swarm.finish(download)
        assert (tmp_path / address).read_bytes() == data


def test_the_public_engine_keeps_out_of_private_networks(swarm, tmp_path):
    data = swarm.data(3)
    torrent = swarm.torrent(data)
    far = swarm.engine(SEED, profile=public((SEED,), 0))
    far.seed(torrent, swarm.file("blob", data))
    with swarm.handshake(FIRST, far, SEED, read(torrent).infohash) as line:
        assert swarm.answer(line) == b""
    near = swarm.engine(FIRST, profile=public((FIRST,), 0, near=True))
    near.seed(torrent, swarm.file("blob", data))
    leech = swarm.engine(SECOND, profile=public((SECOND,), 0, near=True))
    download = leech.fetch(torrent, tmp_path / "partial", None)
    download.add_peers([(FIRST, near.port)])
    swarm.finish(download)


def test_stopping_writes_what_came_in_and_ends_the_threads(swarm, tmp_path):
    data = swarm.data(40)
    seed, torrent = seeding(swarm, data)
    leech = swarm.engine(FIRST, open_to=EVERYBODY)
    download = leech.fetch(torrent, tmp_path / "partial", None)
    download.limit(200_000)
    download.add_peers([(SEED, seed.port)])
    swarm.until(download, lambda standing: sum(standing.have) > 2)
    before = threads()
    leech.stop()
    assert threads() < before
    have, lies = download.close(), (tmp_path / "partial").read_bytes()
    assert sum(have) > 2
    assert all(swarm.piece(lies, one) == swarm.piece(data, one) for one in range(40) if have[one])
    for ask in (download.standing, leech.traffic, lambda: leech.seed(torrent, tmp_path / "partial")):
        with pytest.raises(GoneError):
            ask()
    leech.stop()
    leech.start()
    assert leech.port


def threads() -> int:
    """Of this process, those of libtorrent included."""
    return len(list(Path("/proc/self/task").iterdir()))
