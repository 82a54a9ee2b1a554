"""`thorp status`: how the node is doing."""

from typing import Any, Final

import click

from thorp.cli.frame import Frame, pass_frame
from thorp.cli.output import Output
from thorp.cli.when import when

UNITS: Final = ("B", "KB", "MB", "GB", "TB", "PB")
STEP: Final = 1000
ROUND: Final = 10  # from here on nobody wants a decimal


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


def waiting(keys: list[str]) -> str:
    return f"needed for {', '.join(keys)}"


def size(count: int | None) -> str:
    """Bytes for people; None is unknown."""
    if count is None:
        return "unknown"
    amount, unit = float(count), 0
    while amount >= STEP and unit < len(UNITS) - 1:
        amount, unit = amount / STEP, unit + 1
    digits = 1 if unit and amount < ROUND else 0
    return f"{amount:.{digits}f} {UNITS[unit]}"


def span(seconds: float) -> str:
    """A duration for people, in its two largest units."""
    parts: list[str] = []
    rest = int(seconds)
    for word, length in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, rest = divmod(rest, length)
        if count or (word == "s" and not parts):
            parts.append(f"{count} {word}")
    return " ".join(parts[:2])
