"""Other BitTorrent clients on machines of a village: aria2, Transmission, and libtorrent as its users have it."""

import sys
from collections.abc import Sequence
from pathlib import Path
from subprocess import CompletedProcess, Popen
from typing import Final

from tests.e2e.lan_strangers import patience
from thorp.testing.machines import Machine
from thorp.testing.process import PATIENCE, until

# Says `begun`, `cut` and `done` with the bytes it has then. `cut`: its peer hung up on it again and again.
_LIBTORRENT: Final = """
import sys, libtorrent as lt
given, folder, own, address, port = sys.argv[1:6]
session = lt.session({
    "listen_interfaces": own + ":6881", "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False,
    "enable_dht": False, "alert_mask": lt.alert.category_t.all_categories, "min_reconnect_time": 1,
    "max_failcount": 30,
    "enable_outgoing_utp": sys.argv[6] == "utp", "peer_connect_timeout": 3 if sys.argv[6] == "utp" else 15,
})
params = lt.parse_magnet_uri(given) if given.startswith("magnet:") else lt.load_torrent_file(given)
params.save_path = folder
handle = session.add_torrent(params)
lost, said = 0, set()
def say(word):
    if word not in said:
        said.add(word)
        print(word, handle.status().total_payload_download, flush=True)
handle.connect_peer((address, int(port)))
while not handle.status().is_seeding:
    session.wait_for_alert(200)
    for alert in session.pop_alerts():
        if alert.what() in ("peer_disconnected", "peer_error"):
            lost += 1
            handle.connect_peer((address, int(port)))
    if handle.status().total_payload_download > 0:
        say("begun")
    if lost >= 3:
        say("cut")
        sys.exit(3)
say("done")
"""


def aria2(machine: Machine, url: str) -> "CompletedProcess[str]":
    words = ["aria2c", "--no-conf", "--enable-dht=false", "--enable-dht6=false", "--bt-enable-lpd=false"]
    words += ["--seed-time=0", "--follow-torrent=mem", "--bt-stop-timeout=20", "--max-tries=1"]
    return machine.run([*words, f"--dir={machine.folder}", url])


def transmission(machine: Machine, url: str, name: str, content: bytes) -> None:
    """It goes on sharing when it has the file, so it is ended then."""
    folder = machine.folder / "transmission"
    folder.mkdir(parents=True)
    running = machine.begin(["transmission-cli", "--no-portmap", "-g", str(folder), "-w", str(folder), url])
    at = folder / name
    until(lambda: at.exists() and at.read_bytes() == content, f"Transmission fetches {name}")
    running.kill()
    running.wait(PATIENCE)


def libtorrent(
    machine: Machine, given: str, folder: Path, peer: tuple[str, int], *, utp: bool = False
) -> "Popen[bytes]":
    """Fetch what a magnet or a `.torrent` file means, from this peer."""
    folder.mkdir(parents=True, exist_ok=True)
    told = (given, str(folder), machine.address, peer[0], str(peer[1]), "utp" if utp else "tcp")
    return machine.begin([sys.executable, "-c", _LIBTORRENT, *told])


def heard(running: "Popen[bytes]", words: Sequence[str]) -> tuple[str, int]:
    """The first of these words that a client says, and how many bytes it had; `ended` when it says none."""
    with patience(running):
        for line in running.stdout or ():
            word, _, number = line.decode().strip().partition(" ")
            if word in words:
                return word, int(number)
    return "ended", running.wait(PATIENCE)


def over(running: "Popen[bytes]") -> str:
    """The last word of a client, once it has ended and all it got lies on its disk."""
    word, _ = heard(running, ("done", "cut"))
    running.wait(PATIENCE)
    return word
