"""Several real nodes, each on a machine of its own, on one network that belongs to a test alone.

A bridge joins the machines, and is their router to an uplink on which a fake hub may stand. Nothing leads out of it to
the computer's own network or to the internet. Needs root, `ip` and `tc` (iproute2), `nft` and `tcpdump`.
Only a test process that is killed leaves something: `ip netns` lists it, under `thorp-` and the process's number.
"""

import os
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Final, Self, TypeVar

from thorp.base.clock import SystemRandomness
from thorp.testing.capture import WHOLE, Capture, capturing
from thorp.testing.hub.faults import Fault
from thorp.testing.machines import Hub, Machine, VillageNode
from thorp.testing.namespaces import Namespace, cable
from thorp.testing.process import QUIET

M = TypeVar("M", bound=Machine)
ROUTER: Final = "10.77.0.1"
BROADCAST: Final = "10.77.0.255"
HUB: Final = "10.78.0.2"
CDN: Final = "10.78.0.3"
HUB_PORT, CDN_PORT = 8080, 8081
FIRST: Final = 11  # the last byte of the first machine's address
LAST: Final = 254
LONGEST_NAME: Final = 12  # a port of the bridge has 15 characters
NO_MULTICAST: Final = "ether daddr & 01:00:00:00:00:00 == 01:00:00:00:00:00 ether daddr != ff:ff:ff:ff:ff:ff drop"
NO_BROADCAST: Final = "ether daddr ff:ff:ff:ff:ff:ff ether type ip drop"  # ARP goes on, or nobody would find anybody
# It passes things on, and says each time, not only once a second, that there is no way.
_ROUTER: Final = ("sh", "-c", "cd /proc/sys/net/ipv4 && echo 1 >ip_forward && echo 0 >icmp_ratelimit")


def filtering(rules: Sequence[str]) -> str:
    """What `nft` is told so that the bridge passes everything on but what the rules drop."""
    lines = "".join(f"add rule bridge village passing {one}\n" for one in rules)
    chain = "add chain bridge village passing { type filter hook forward priority 0; policy accept; }"
    return f"add table bridge village\n{chain}\nflush chain bridge village passing\n{lines}"


@dataclass(eq=False)
class Village:
    """`with Village(("a", "b")) as village:`; whatever happens in the block, nothing of it is left afterwards.

    `rate` is what each machine sends and receives at most, as `tc` writes it (`1gbit`); `uplink` is the same for the
    way to the hub, and not given it is `rate`. Homes and logs lie in `at`, or in a folder that goes with the village.
    """

    nodes: Sequence[str] = ("a", "b", "c")
    rate: str | None = None
    _: KW_ONLY
    uplink: str | None = None
    multicast: bool = True
    broadcast: bool = True
    at: Path | None = None
    variables: Mapping[str, str] = field(default_factory=dict[str, str])  # of every node
    _nodes: dict[str, VillageNode] = field(default_factory=dict[str, VillageNode])
    _strangers: dict[str, Machine] = field(default_factory=dict[str, Machine])
    _rules: tuple[str, ...] = ()
    _captures: int = 0

    # Life.

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._stack = stack
            self.folder = self.at or Path(stack.enter_context(TemporaryDirectory(prefix="thorp-")))
            self._id = f"thorp-{os.getpid()}-{SystemRandomness().bytes(3).hex()}"
            self.bridge = self._namespace("bridge")
            self._outside = self._namespace("uplink")
            self._join()
            self._hub = Hub(self._outside, HUB, CDN, HUB_PORT, CDN_PORT, self.folder / "hub.log")
            stack.callback(self._hub.stop)
            for name in self.nodes:
                self._nodes[name] = self._settle(VillageNode, name, self._settings(name))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _namespace(self, name: str) -> Namespace:
        made = Namespace(f"{self._id}-{name}")
        made.make()
        self._stack.callback(made.remove)
        return made

    def _join(self) -> None:
        """Bridge, uplink, and the routes between them."""
        self.bridge.ip("link add br0 type bridge mcast_snooping 0", f"addr add {ROUTER}/24 dev br0", "link set br0 up")
        self.bridge.do(*_ROUTER)
        cable(self.bridge, "uplink", self._outside, rate=self.uplink or self.rate)
        self.bridge.ip("addr add 10.78.0.1/24 dev uplink")
        self._outside.ip(*(f"addr add {one}/24 dev eth0" for one in (HUB, CDN)), "route add default via 10.78.0.1")
        self.block(*(() if self.multicast else (NO_MULTICAST,)), *(() if self.broadcast else (NO_BROADCAST,)))

    def _settings(self, name: str) -> dict[str, str]:
        """What a node here is told: a name of its own, where the hub is, and not to be as quiet as in other tests."""
        own = dict.fromkeys(QUIET, "")  # empty counts as none, so that what everybody has by default holds
        return own | {"HF_ENDPOINT": self._hub.url, "THORP_NODE_NAME": name} | dict(self.variables)

    def _settle(self, kind: type[M], name: str, variables: Mapping[str, str]) -> M:
        number = FIRST + len(self._nodes) + len(self._strangers)
        if len(name) > LONGEST_NAME or name in self._nodes or number > LAST:
            raise AssertionError(f"there is no place for `{name}`: too long a name, one that lives here, or too many")
        address, port = f"10.77.0.{number}", f"to-{name}"
        inside = self._namespace(name)
        cable(self.bridge, port, inside, rate=self.rate)
        self.bridge.ip(f"link set {port} master br0")
        inside.ip(f"addr add {address}/24 broadcast {BROADCAST} dev eth0", f"route add default via {ROUTER}")
        machine = kind(name, address, inside, self.bridge, port, self.folder / name, variables)
        self._stack.callback(machine.leave)
        return machine

    # Who is here.

    def node(self, name: str) -> VillageNode:
        """A node of this village; it runs once it is started."""
        return self._nodes[name]

    def stranger(self, name: str) -> Machine:
        """A machine on the same bridge that is nobody's node; asked for again it is the same one."""
        if name not in self._strangers:
            self._strangers[name] = self._settle(Machine, name, {})
        return self._strangers[name]

    # The hub.

    def hub(self, folder: Path | None = None, *faults: Fault) -> Hub:
        """The hub beyond the bridge; with a folder of `org/repo/files` it is started on it, or started anew."""
        if folder:
            self._hub.stop()
            self._hub.start(folder, *faults)
        return self._hub

    def cut_hub(self, *, silently: bool = False) -> None:
        """Nobody reaches the uplink any more: the router says so, or `silently` swallows everything."""
        lines = ["route replace blackhole 10.78.0.0/24 metric 99"] if silently else []
        self.bridge.ip(*lines, "link set uplink down")

    def restore_hub(self) -> None:
        self.bridge.ip("link set uplink up", "route flush type blackhole")

    # What the bridge passes on.

    def block_multicast(self) -> None:
        self.block(NO_MULTICAST)

    def block_broadcast(self) -> None:
        self.block(NO_BROADCAST)

    def block(self, *rules: str) -> None:
        """Pass on nothing of this from now on: rules of nft's bridge family, `ip daddr 10.77.0.11 tcp dport 1 drop`."""
        self._rules += rules
        self._filter()

    def unblock(self) -> None:
        """Pass everything on again."""
        self._rules = ()
        self._filter()

    def _filter(self) -> None:
        self.bridge.do("nft", "-f", "-", stdin=filtering(self._rules))

    @contextmanager
    def capture(self, snap: int = WHOLE) -> Generator[Capture]:
        """Everything that machines send to each other or to the hub, blocked things too; `snap` bytes of each frame."""
        self._captures += 1
        file = self.folder / f"{self._captures}.pcap"
        with capturing(self.bridge, "br0", file, snap) as capture:
            yield capture
