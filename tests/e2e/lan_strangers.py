"""What strangers in a village do: packets of every wrong kind, BitTorrent clients, and a listener that lies.

The scripts run on a stranger's machine. What they know, a test tells them; what came of it, they print.
"""

import base64
import json
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from subprocess import Popen
from threading import Timer
from typing import Any, Final

from thorp.base.clock import SystemRandomness
from thorp.base.files import DISK
from thorp.identity.ids import NodeId
from thorp.identity.keys import NodeKey
from thorp.store.keyfiles import kept_secret, node_seed
from thorp.testing.machines import Machine, VillageNode
from thorp.testing.process import PATIENCE
from thorp.wire.announce import Announcement, LanKey, seal

MESH, SWARM, AIR = 7080, 7081, 4269
GROUP: Final = "239.192.42.1"
THIEF: Final = NodeKey(b"t" * 32)

CLIENT: Final = """
import base64, json, sys, time
import libtorrent as lt
told = json.load(sys.stdin)
kinds = lt.alert.category_t
mask = kinds.peer_notification | kinds.connect_notification | kinds.error_notification | kinds.status_notification
tcp = {"enable_outgoing_utp": False, "min_reconnect_time": 1, "max_failcount": 1000}
# Over TCP, which is what the household speaks, and again and again.
session = lt.session({"listen_interfaces": "0.0.0.0:6999", "alert_mask": mask, **tcp})
adding = lt.load_torrent_buffer(base64.b64decode(told["torrent"]))
adding.save_path = told["at"]
handle = session.add_torrent(adding)
peers = [tuple(one) for one in told["peers"]]
ended = {peer: 0 for peer in peers}
for peer in peers:
    handle.connect_peer(peer)
while not handle.status().is_seeding and min(ended.values()) < told["tries"]:
    session.wait_for_alert(1000)
    for alert in session.pop_alerts():
        over = (lt.peer_disconnected_alert, lt.peer_error_alert)
        if isinstance(alert, over) and tuple(alert.endpoint) in ended:
            ended[tuple(alert.endpoint)] += 1
            handle.connect_peer(tuple(alert.endpoint))
status = handle.status()
print(json.dumps({"bytes": status.all_time_download, "whole": status.is_seeding, "ended": list(ended.values())}))
"""

TRACKER: Final = """
import http.server, socket, sys
peers = b"".join(socket.inet_aton(one) + int(sys.argv[1]).to_bytes(2, "big") for one in sys.argv[2:])
class Tracker(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"d8:intervali1e12:min intervali1e5:peers%d:%se" % (len(peers), peers)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *words):
        pass
server = http.server.HTTPServer(("127.0.0.1", 6969), Tracker)
print("ready", flush=True)
server.serve_forever()
"""

# Whoever rings is told that all is well, whatever they ask. What was asked is printed, line by line.
LISTENER: Final = """
import socket, sys, threading
from thorp.net.mesh_tls import mesh_server_context, node_certificate
context = mesh_server_context(node_certificate(bytes.fromhex(sys.argv[1])))
server = socket.create_server(("0.0.0.0", 7080))
print("ready", flush=True)
def answer(wire):
    try:
        with context.wrap_socket(wire, server_side=True) as line:
            line.settimeout(60)
            print("met", flush=True)
            while asked := line.recv(65536):
                print("asked", asked.split(b"\\r\\n")[0].decode("latin-1"), flush=True)
                body = b'{"nonce":"%s"}' % (b"A" * 43)
                kind = b"Content-Type: application/json\\r\\n"
                line.sendall(b"HTTP/1.1 200 OK\\r\\n%sContent-Length: %d\\r\\n\\r\\n%s" % (kind, len(body), body))
    except OSError:
        pass
    finally:
        print("left", flush=True)
while True:
    threading.Thread(target=answer, args=(server.accept()[0],), daemon=True).start()
"""

# Knocks at a mesh listener with a key of its own, and asks for everything there is.
KNOCKING: Final = """
import json, sys
from thorp.base.clock import SystemClock
from thorp.identity.keys import NodeKey
from thorp.net.mesh_line import Target, open_line
from thorp.wire.hello import sign_hello
told = json.load(sys.stdin)
key, target = NodeKey(bytes.fromhex(told["seed"])), Target(told["address"], 7080, frozenset({told["node"]}))
answers = []
def ask(method, path, **more):
    line = open_line(target, clock=SystemClock())
    try:
        reply = line.ask(method, path, largest=65536, seconds=30, **more)
    finally:
        line.close()
    answers.append([path, reply.status, reply.body.decode("latin-1")])
    return reply.body
nonce = json.loads(ask("GET", "/mesh/v1/hello"))["nonce"]
hello = sign_hello(key, told["node"], told["community"], nonce, mesh_port=7080, swarm_port=7081)
answer = json.loads(ask("POST", "/mesh/v1/hello", body=hello.model_dump_json().encode()))
token = answer.get("token") or "A" * 43
for path in told["paths"]:
    ask("GET", path, token=token)
    ask("GET", path)
print(json.dumps(answers[1:]))
"""

# Each of `data` from each of `sources` as fast as it goes: `count` of them, and on until a file says that it is enough.
FLOODING: Final = """
import base64, json, os, socket, sys
told = json.load(open(sys.argv[1]))
data = [base64.b64decode(one) for one in told["data"]]
wires = []
for source in told["sources"]:
    wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    wire.setsockopt(socket.IPPROTO_IP, 19, 1)  # IP_TRANSPARENT: any source will do
    wire.bind((source, 0))
    wires.append(wire)
print("ready", flush=True)
sent = 0
while sent < told["count"] or not os.path.exists(sys.argv[1] + ".enough"):
    packet = data[sent % len(data)]
    if sent % 11 == 0:
        packet = packet[:21] + os.urandom(8) + packet[29:]
    wires[sent // len(data) % len(wires)].sendto(packet, (told["to"], 4269))
    sent += 1
print(sent, flush=True)
"""


def lan_key(node: VillageNode) -> LanKey:
    """The household's secret, taken from a member's disk."""
    content = kept_secret(DISK, node.home / "keys", "lan.secret")
    assert content
    return LanKey(int.from_bytes(content[:4], "big"), content[4:])


def node_key(node: VillageNode) -> NodeKey:
    """A node's own key, taken from its disk."""
    return NodeKey(node_seed(DISK, node.home / "keys"))


@dataclass(frozen=True)
class Claiming:
    """Signs with its own key, and says that it is another's."""

    node_id: NodeId
    key: NodeKey = THIEF

    def sign(self, kind: str, data: bytes) -> bytes:
        return self.key.sign(kind, data)


def packet(by: Any, lan: LanKey, address: str, **more: Any) -> bytes:
    """An announcement that is right in everything but what is said otherwise."""
    said = Announcement(by.node_id, "ab" * 8, 2**50, 180, (address,), SWARM, MESH, "d4" * 32, 3)
    return seal(replace(said, **more), by, lan, SystemRandomness().bytes(12))


def with_libtorrent(machine: Machine, torrent: bytes, *addresses: str, tries: int = 3) -> dict[str, Any]:
    """What a libtorrent of default settings gets from there; it calls again until each has hung up on it so often."""
    told = {
        "torrent": base64.b64encode(torrent).decode(),
        "peers": [(one, SWARM) for one in addresses],
        "at": str(machine.folder),
        "tries": tries,
    }
    return json.loads(machine.python(CLIENT, stdin=json.dumps(told)))


def with_aria2(machine: Machine, torrent: bytes, *addresses: str) -> int:
    """Its exit code, after it got all or nothing for some seconds; a tracker of its own tells it where to ask."""
    tracker = machine.begin([sys.executable, "-c", TRACKER, str(SWARM), *addresses])
    said(tracker, "ready")
    (machine.folder / "wanted.torrent").write_bytes(torrent)
    words = ["aria2c", "--no-conf", "--bt-tracker=http://127.0.0.1:6969/announce", "--bt-stop-timeout=4"]
    words += ["--bt-tracker-interval=1", "--seed-time=0", "--file-allocation=none", "--allow-overwrite=true"]
    ended = machine.run([*words, f"--dir={machine.folder}", "wanted.torrent"])
    tracker.kill()
    tracker.wait()
    return ended.returncode


@contextmanager
def patience(program: "Popen[bytes]") -> Generator[None]:
    """A program that says nothing any more is ended, so that whoever reads it goes on."""
    timer = Timer(PATIENCE, program.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def said(program: "Popen[bytes]", *until: str) -> list[str]:
    """What a program printed, up to the line that begins with one of these words."""
    lines: list[str] = []
    with patience(program):
        for line in program.stdout or ():
            lines.append(line.decode().strip())
            if lines[-1].startswith(until):
                return lines
    raise AssertionError(f"the program ended after {lines}")


@dataclass
class Liar:
    """A listener where a node is expected; knows what it was asked."""

    program: "Popen[bytes]"
    heard: list[str] = field(default_factory=list[str])

    def one_call(self) -> None:
        """Wait until somebody came and left."""
        self.heard += said(self.program, "left")


def lying_listener(machine: Machine, seed: bytes = b"t" * 32) -> Liar:
    program = machine.begin([sys.executable, "-c", LISTENER, seed.hex()])
    said(program, "ready")
    return Liar(program)


def knocking(machine: Machine, at: VillageNode, community: str, *paths: str, seed: bytes = b"t" * 32) -> list[Any]:
    """What a mesh listener answers to somebody with this key: path, status and body of each question."""
    told = {
        "seed": seed.hex(),
        "address": at.address,
        "node": node_key(at).node_id,
        "community": community,
        "paths": paths,
    }
    return json.loads(machine.python(KNOCKING, stdin=json.dumps(told)))


@dataclass(frozen=True)
class Flood:
    program: "Popen[bytes]"
    told: Path

    def enough(self) -> int:
        """Let it end; answers how many packets it sent."""
        self.told.with_name(f"{self.told.name}.enough").touch()
        (sent,) = said(self.program, "")
        self.program.wait()
        return int(sent)


def flooding(machine: Machine, to: str, count: int, sources: list[str], *data: bytes) -> Flood:
    """Begin to send at least so many packets; it goes on until it is enough."""
    machine.folder.mkdir(exist_ok=True)
    told = machine.folder / "flood"
    packets = [base64.b64encode(one).decode() for one in data]
    told.write_text(json.dumps({"to": to, "count": count, "sources": sources, "data": packets}))
    program = machine.begin([sys.executable, "-c", FLOODING, str(told)])
    said(program, "ready")
    return Flood(program, told)


def stopped(program: "Popen[bytes]") -> None:
    """End a program that would go on."""
    with suppress(ProcessLookupError):
        program.kill()
    program.wait()
