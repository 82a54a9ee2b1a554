"""Where the node listens. Which addresses these are for is said in each line; nothing is bound here."""

from dataclasses import dataclass

from thorp.base.settings import setting


@dataclass(frozen=True, slots=True)
class LocalSettings:
    """The owner's own listener, and its exposed twin."""

    host: str = setting(
        "127.0.0.1", "Address of the local listener; one of this machine's loopback addresses.", owner=True
    )
    port: int = setting(8737, "Port of the local listener; 0 takes any free one.", owner=True, minimum=0, maximum=65535)
    hosts: tuple[str, ...] = setting(
        (), "Further host names this node answers to, beside its addresses.", live=True, owner=True
    )
    open_inference: bool = setting(
        True, "Let your own programs on this machine use models without a key.", live=True, owner=True
    )
    expose_host: str = setting("", "Address `thorp expose` listens on; empty: not exposed.", live=True, owner=True)
    expose_port: int = setting(8738, "Port `thorp expose` listens on.", live=True, owner=True, minimum=0, maximum=65535)
    expose_plain: bool = setting(False, "Expose without TLS: keys and prompts travel readable.", live=True, owner=True)


@dataclass(frozen=True, slots=True)
class MeshSettings:
    """The listener for other nodes."""

    host: str = setting(
        "0.0.0.0",  # noqa: S104  (the mesh is the LAN)
        "Address that other nodes will reach this one on; nothing listens there yet.",
        owner=True,
    )
    port: int = setting(7080, "Port for other nodes; nothing listens there yet.", owner=True, minimum=0, maximum=65535)
