import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from thorp.swarm.download import Download, wishes
from thorp.swarm.engine import Engine
from thorp.swarm.recipes import bencode

SEED, LEECH, LIAR = "127.0.0.2", "127.0.0.3", "127.0.0.4"
EVERYBODY = (SEED, LEECH, LIAR)


def sharing(swarm: Any, address: str, data: bytes, torrent: bytes) -> Engine:
    engine = swarm.engine(address, open_to=EVERYBODY)
    engine.seed(torrent, swarm.file(f"{address}/blob", data))
    return engine


def fetching(swarm: Any, torrent: bytes) -> Download:
    return swarm.engine(LEECH, open_to=EVERYBODY).fetch(torrent, swarm.folder / "partial", None)


def spoiled(data: bytes) -> bytes:
    """Of the same length, and wrong in every piece."""
    return bytes(one ^ 1 for one in data)


def test_E62_a_peer_with_wrong_bytes_is_banned_by_address_and_others_take_over(swarm):
    data = swarm.data(30)
    torrent = swarm.torrent(data)
    liar, seed = sharing(swarm, LIAR, spoiled(data), torrent), sharing(swarm, SEED, data, torrent)
    download = fetching(swarm, torrent)
    download.add_peers([(LIAR, liar.port)])
    standing = swarm.until(download, lambda standing: standing.banned)
    assert standing.banned == {LIAR}
    assert not any(standing.have)
    download.add_peers([(LIAR, liar.port), (SEED, seed.port)])
    swarm.until(download, lambda standing: standing.finished)
    assert {one.address for one in download.standing().peers} <= {SEED}
    assert download.standing().rejected == frozenset()
    download.close()
    assert (swarm.folder / "partial").read_bytes() == data


def test_E62_a_banned_peer_cannot_call_back_until_the_download_is_over(swarm):
    data = swarm.data(30)
    torrent = swarm.torrent(data)
    liar = sharing(swarm, LIAR, spoiled(data), torrent)
    engine = swarm.engine(LEECH, open_to=EVERYBODY)
    download = engine.fetch(torrent, swarm.folder / "partial", None)
    download.add_peers([(LIAR, liar.port)])
    swarm.until(download, lambda standing: standing.banned)
    with swarm.handshake(LIAR, engine, LEECH, download.infohash) as line:
        assert swarm.answer(line) == b""
    download.close()
    engine.seed(torrent, swarm.file("good", data))
    with swarm.handshake(LIAR, engine, LEECH, download.infohash) as line:
        assert swarm.answer(line)


def test_given_pieces_are_taken_in_any_order_and_finish_the_file(swarm):
    data = swarm.data(12)
    download = fetching(swarm, swarm.torrent(data))
    for piece in reversed(range(12)):
        download.give(piece, swarm.piece(data, piece))
    swarm.until(download, lambda standing: standing.finished)
    assert download.close() == b"\x01" * 12
    assert (swarm.folder / "partial").read_bytes() == data


def test_wrong_given_bytes_are_refused_told_and_may_be_given_again(swarm):
    data = swarm.data(4)
    download = fetching(swarm, swarm.torrent(data))
    download.give(0, bytes(65536))
    download.give(1, swarm.piece(data, 1)[:-1])
    download.give(3, swarm.piece(data, 2))
    download.give(4, b"")
    standing = download.standing()
    assert standing.rejected == {0, 1, 3, 4}
    assert not any(standing.have)
    for piece in range(4):
        download.give(piece, swarm.piece(data, piece))
    assert swarm.until(download, lambda standing: standing.finished).rejected == {4}


def test_parts_of_a_piece_count_before_it_is_whole(swarm):
    data = swarm.data(100)
    hashed = hashlib.sha1(data, usedforsecurity=False).digest()
    info = {"length": len(data), "name": "one.bin", "piece length": 1 << 24, "pieces": hashed, "private": 1}
    torrent = bencode({"info": info})
    seed = sharing(swarm, SEED, data, torrent)
    download = fetching(swarm, torrent)
    download.limit(50_000)
    download.add_peers([(SEED, seed.port)])
    standing = swarm.until(download, lambda standing: standing.done)
    assert not any(standing.have)
    assert standing.came >= standing.done > 0
    download.limit(0)
    swarm.finish(download)


def test_a_paused_download_has_no_peers_and_takes_given_pieces(swarm):
    data = swarm.data(100)
    torrent = swarm.torrent(data)
    seed = sharing(swarm, SEED, data, torrent)
    download = fetching(swarm, torrent)
    download.limit(50_000)
    download.add_peers([(SEED, seed.port)])
    swarm.until(download, lambda standing: standing.done > 0)
    download.pause()
    standing = swarm.until(download, lambda standing: not standing.peers)
    assert not standing.finished
    missing = standing.have.rindex(0)
    download.give(missing, swarm.piece(data, missing))
    swarm.until(download, lambda standing: standing.have[missing])
    download.limit(0)
    download.resume()
    download.add_peers([(SEED, seed.port)])
    swarm.finish(download)


def test_pieces_left_out_come_from_elsewhere_and_are_not_asked_for_twice(swarm):
    data = swarm.data(20)
    torrent = swarm.torrent(data)
    seed = sharing(swarm, SEED, data, torrent)
    download = fetching(swarm, torrent)
    download.leave_out(range(10))
    download.add_peers([(SEED, seed.port)])
    standing = swarm.until(download, lambda standing: all(standing.have[10:]))
    assert standing.have == bytes(10) + b"\x01" * 10
    assert not standing.finished
    download.give(0, swarm.piece(data, 0))
    swarm.until(download, lambda standing: standing.have[0])
    download.leave_out(())
    download.add_peers([(SEED, seed.port)])
    swarm.finish(download)
    assert (swarm.folder / "partial").read_bytes() == data
    assert seed.traffic().up < len(data)


def test_giving_pieces_while_peers_send_them_ends_well(swarm):
    data = swarm.data(60)
    torrent = swarm.torrent(data)
    seed = sharing(swarm, SEED, data, torrent)
    download = fetching(swarm, torrent)
    download.add_peers([(SEED, seed.port)])
    for piece in range(60):
        download.give(piece, swarm.piece(data, piece))
    swarm.until(download, lambda standing: standing.finished)
    assert download.standing().rejected == download.standing().banned == frozenset()
    download.close()
    assert (swarm.folder / "partial").read_bytes() == data


def test_what_is_preferred_comes_first_and_the_rest_after_it(swarm):
    data = swarm.data(100)
    torrent = swarm.torrent(data)
    seed = sharing(swarm, SEED, data, torrent)
    download = fetching(swarm, torrent)
    download.prefer(range(60, 70))
    download.limit(200_000)
    download.add_peers([(SEED, seed.port)])
    standing = swarm.until(download, lambda standing: sum(standing.have) > 4)
    far = sum(standing.have[:50]) + sum(standing.have[80:])  # small pieces come with some of their neighbours
    assert far <= 1, "a peer may offer one of its own choice"
    download.limit(0)
    swarm.finish(download)
    assert (swarm.folder / "partial").read_bytes() == data


@pytest.mark.parametrize(
    ("left_out", "soon", "wanted"),
    [((), (), [4, 4, 4]), ((1,), (), [4, 0, 4]), ((), (2,), [1, 1, 7]), ((2,), (1, 2), [1, 7, 0])],
)
def test_what_others_bring_is_never_wanted_and_what_is_preferred_most(left_out, soon, wanted):
    assert wishes(3, left_out, soon) == wanted


def test_what_does_not_wait_for_the_disk_any_more_can_be_read(swarm):
    data = swarm.data(400)
    torrent = swarm.torrent(data)
    seed = sharing(swarm, SEED, data, torrent)
    download = fetching(swarm, torrent)
    download.add_peers([(SEED, seed.port)])
    read: set[int] = set()
    at = swarm.file("partial", b"")

    def look(standing: Any) -> bool:
        with at.open("rb") as file:
            for piece in {one for one, here in enumerate(standing.have) if here} - standing.waiting - read:
                file.seek(piece * len(swarm.piece(data, 0)))
                assert file.read(len(swarm.piece(data, piece))) == swarm.piece(data, piece)
                read.add(piece)
        return standing.finished

    swarm.until(download, look)
    assert len(read) < 400, "who sent the last piece is not asked whether it is on the disk: `close` says so"
    assert all(download.close())


def test_a_peer_says_which_address_of_ours_it_talks_to(swarm):
    data = swarm.data(30)
    torrent = swarm.torrent(data)
    seed = sharing(swarm, SEED, data, torrent)
    download = fetching(swarm, torrent)
    download.limit(50_000)
    download.add_peers([(SEED, seed.port)])
    standing = swarm.until(download, lambda standing: standing.peers)
    assert {one.here for one in standing.peers} == {LEECH}


def test_in_order_the_beginning_comes_first(swarm):
    data = swarm.data(100)
    torrent = swarm.torrent(data)
    seed = sharing(swarm, SEED, data, torrent)
    engine = swarm.engine(LEECH, open_to=EVERYBODY)
    download = engine.fetch(torrent, swarm.folder / "partial", None, in_order=True)
    download.limit(200_000)
    download.add_peers([(SEED, seed.port)])
    standing = swarm.until(download, lambda standing: sum(standing.have) > 3)
    out_of_line = sum(standing.have[25:])  # a peer may offer one of its own choice before it unchokes
    assert out_of_line <= 1


def test_what_close_claims_lies_on_the_disk_and_no_file_stays_open(swarm):
    data = swarm.data(300)
    torrent = swarm.torrent(data)
    seed = sharing(swarm, SEED, data, torrent)
    engine = swarm.engine(LEECH, open_to=EVERYBODY)
    for enough in (1, 50, 150, 290):
        at = swarm.folder / f"partial-{enough}"
        download = engine.fetch(torrent, at, None)
        download.add_peers([(SEED, seed.port)])
        swarm.until(download, lambda standing, enough=enough: sum(standing.have) >= enough)
        have = download.close()
        assert download.close() == have
        assert str(at) not in open_files()
        lies = at.read_bytes()
        assert all(swarm.piece(lies, one) == swarm.piece(data, one) for one in range(300) if have[one])


def open_files() -> set[str]:
    found = set()
    for one in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the listing's own
            found.add(str(one.readlink()))
    return found


def test_a_disk_that_refuses_is_told_with_its_number(swarm):
    data = swarm.data(4)
    torrent = swarm.torrent(data)
    (swarm.folder / "partial").mkdir()
    download = fetching(swarm, torrent)
    standing = swarm.until(download, lambda standing: standing.error)
    assert "partial" in standing.error
    download.give(0, swarm.piece(data, 0))
    assert not standing.finished
    assert not any(download.close())


def test_standing_names_the_peers_and_what_they_bring(swarm):
    data = swarm.data(100)
    torrent = swarm.torrent(data)
    seed = sharing(swarm, SEED, data, torrent)
    download = fetching(swarm, torrent)
    download.limit(50_000)
    download.add_peers([(SEED, seed.port)])
    standing = swarm.until(download, lambda standing: standing.wanted and standing.peers and standing.done)
    assert [(one.address, one.port, one.progress) for one in standing.peers] == [(SEED, seed.port, 1.0)]
    assert standing.wanted <= set(range(100))
    assert not standing.error


@pytest.mark.parametrize("port", [0, 65536, -1])
def test_a_port_that_is_none_is_passed_over(swarm, port):
    download = fetching(swarm, swarm.torrent(swarm.data(2)))
    download.add_peers([(SEED, port), ("not an address", 1)])
    assert download.standing().peers == ()
