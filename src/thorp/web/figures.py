"""Figures for Prometheus, read off the node at each scrape. Labels are bounded; nothing a person wrote is in them.

Loaded at the first scrape, because most nodes are never scraped.
"""

from collections.abc import Iterable
from typing import Final

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

from thorp.bus.table import Entry
from thorp.web.doors import Doors
from thorp.wire.capabilities.node import StatusAnswer

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


def node_figures(status: StatusAnswer) -> Iterable[Metric]:
    yield InfoMetricFamily("thorp", "This node.", {"version": status.node.version})
    yield GaugeMetricFamily("thorp_uptime_seconds", "Seconds since the start.", status.node.uptime_s)
    if status.memory.resident_bytes is not None:
        yield GaugeMetricFamily("thorp_resident_bytes", "Memory in use.", status.memory.resident_bytes)
    if status.disk.free_bytes is not None:
        yield GaugeMetricFamily("thorp_disk_free_bytes", "Free space at the data folder.", status.disk.free_bytes)
    up = GaugeMetricFamily("thorp_service_up", "1 while a service runs.", labels=["service"])
    for service in status.services:
        up.add_metric([service.name], float(service.state == "running"))
    yield up


def call_figures(entries: Iterable[Entry]) -> Iterable[Metric]:
    listed = GaugeMetricFamily("thorp_capability_listed", "1 while listed.", labels=["capability"])
    running = GaugeMetricFamily("thorp_calls_running", "Calls under way.", labels=["capability"])
    calls = CounterMetricFamily("thorp_calls", "Calls begun.", labels=["capability"])
    faults = CounterMetricFamily(
        "thorp_call_faults", "Calls that failed through this node's own fault.", labels=["capability"]
    )
    for entry in entries:
        label = [entry.capability.id]
        listed.add_metric(label, float(entry.listed))
        running.add_metric(label, entry.running)
        calls.add_metric(label, entry.calls)
        faults.add_metric(label, entry.faults)
    return listed, running, calls, faults


class NodeCollector(Collector):
    def __init__(self, doors: Doors) -> None:
        self._doors = doors

    def collect(self) -> Iterable[Metric]:
        yield from node_figures(self._doors.report())
        yield from call_figures(self._doors.bus.entries)
        watchers = self._doors.changes.listeners
        yield GaugeMetricFamily("thorp_stream_listeners", "Open streams of changes.", watchers)


def exposition(doors: Doors) -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(NodeCollector(doors))
    return generate_latest(registry)
