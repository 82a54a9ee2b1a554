"""Every capability Thorp knows, one module per area. A declaration here is all that a face needs."""

import importlib
import pkgutil

from thorp.wire.capability import Capability


def every_capability() -> tuple[Capability, ...]:
    """All declarations of all areas, by name and version."""
    found: dict[str, Capability] = {}
    for module_info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{module_info.name}")
        for value in vars(module).values():
            if isinstance(value, Capability):
                found[value.id] = value
    return tuple(found[one] for one in sorted(found))
