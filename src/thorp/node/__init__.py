"""What this machine says about itself. Small and whole: the feature that other features imitate."""

from thorp.node.capabilities import offers
from thorp.node.gauges import MachineGauges
from thorp.node.ports import Gauges, Surroundings
from thorp.node.service import NodeFeature
from thorp.node.types import Listing, NodeState, Readings, Self, ServiceFacts, listener_row

__all__ = [
    "Gauges",
    "Listing",
    "MachineGauges",
    "NodeFeature",
    "NodeState",
    "Readings",
    "Self",
    "ServiceFacts",
    "Surroundings",
    "listener_row",
    "offers",
]
