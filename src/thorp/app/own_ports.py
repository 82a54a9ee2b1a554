"""Each listener has a port of its own: says when a change would give two of them the same one."""

from itertools import combinations

from thorp.app.settings import Settings


def clashes(old: Settings, new: Settings) -> tuple[str, ...]:
    """What a change brings. A clash that is there already keeps no node from starting: who comes second says so."""
    before = _pairs(old)
    return tuple(
        f"`{one}` and `{other}` would both be {port}. Give one of them another port."
        for (one, other), port in _pairs(new).items()
        if before.get((one, other)) != port
    )


def _pairs(settings: Settings) -> dict[tuple[str, str], int]:
    """Two settings with one port."""
    wanted = _wanted(settings)
    return {(one, other): wanted[one] for one, other in combinations(wanted, 2) if wanted[one] == wanted[other]}


def _wanted(settings: Settings) -> dict[str, int]:
    """The ports of what is turned on, but for those that may be any."""
    local, swarm, with_others = settings.local, settings.swarm, settings.lan.enabled
    every = (
        ("local.port", local.port, True),
        ("local.expose_port", local.expose_port, bool(local.expose_host)),
        ("mesh.port", settings.mesh.port, with_others),
        ("swarm.port", swarm.port, with_others),
        ("swarm.tracker_port", swarm.tracker_port, swarm.tracker),
        ("swarm.public_port", swarm.public_port, swarm.public),
    )
    return {key: port for key, port, is_on in every if is_on and port}
