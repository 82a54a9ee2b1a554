"""The node's own settings."""

from dataclasses import dataclass

from thorp.base.settings import setting


@dataclass(frozen=True, slots=True)
class NodeSettings:
    name: str = setting("", "What other people see this machine called; empty: its host name.", live=True, maximum=64)
    auto_start: bool = setting(
        True, "Whether a pull from a terminal leaves a node running afterwards, so that it can share.", live=True
    )

    def shown_name(self, host_name: str) -> str:
        return self.name or host_name.partition(".")[0] or "node"
