"""`thorp status`: how the node is doing."""

from typing import Any

import click

from thorp.base.amounts import size
from thorp.cli.amounts import span
from thorp.cli.frame import Frame, pass_frame
from thorp.cli.output import Output
from thorp.cli.when import when


@click.command
@pass_frame
def status(frame: Frame) -> None:
    """With --json, the answer of the node as it is."""
    frame.output.show(frame.link().ask("GET", "/api/v1/status"), draw)


def draw(output: Output, answer: dict[str, Any]) -> None:
    node = answer["node"]
    output.line(f"{node['name']} is {node['state']} since {when(node['started'])} ({span(node['uptime_s'])})")
    output.facts(facts(answer))


def facts(answer: dict[str, Any]) -> list[tuple[str, str]]:
    """What a person wants to know, worst last, because that is what stays in view."""
    node, disk = answer["node"], answer["disk"]
    listed = [one["id"] for one in answer["capabilities"] if one["listed"]]
    return [
        ("version", node["version"]),
        ("id", node["id"]),
        ("process", str(node["pid"])),
        ("memory", size(answer["memory"]["resident_bytes"])),
        ("disk", f"{size(disk['free_bytes'])} free of {size(disk['total_bytes'])}"),
        *(
            ("listens", f"{one['address']}  for {one['reach']}")
            for one in answer["listeners"]
            if one["state"] == "open"
        ),
        *(("fingerprint", one["fingerprint"]) for one in answer["listeners"] if one.get("fingerprint")),
        ("neighbours", counted(answer["busy"]["peers"], "here; `thorp lan` says more")),
        ("transfers", counted(answer["busy"]["transfers"], "on their way; `thorp transfers` lists them")),
        ("can do", f"{len(listed)} things; `thorp capabilities` lists them"),
        *(("cannot do", f"{one['id']}: {one['reason']}") for one in answer["capabilities"] if not one["listed"]),
        *(
            ("trouble", f"{one['name']} is {one['state']}: {one['message'] or 'no reason given'}")
            for one in answer["services"]
            if one["state"] != "running"
        ),
        ("last run", "" if answer["stopped_cleanly"] in (True, None) else "did not end in order; the data was checked"),
        ("dashboard", "" if answer["claimed"] else "not claimed yet; `thorp open` claims it"),
        ("restart", ", ".join(answer["config"]["needs_restart"]) and waiting(answer["config"]["needs_restart"])),
    ]


def counted(many: int, what: str) -> str:
    """Nothing is said of none."""
    return f"{many} {what}" if many else ""


def waiting(keys: list[str]) -> str:
    return f"needed for {', '.join(keys)}"
