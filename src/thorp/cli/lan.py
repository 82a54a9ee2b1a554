"""`thorp lan`: the household this node belongs to, who is here, and how nodes come in and go."""

import io
from typing import Any, Final
from urllib.parse import quote

import click

from thorp.base.lazy import LazyModule
from thorp.cli.amounts import span
from thorp.cli.frame import Frame, pass_frame
from thorp.cli.output import Output
from thorp.cli.when import when

MOST_HOURS: Final = 168
_QR: Final = LazyModule("segno")

Row = dict[str, Any]


@click.command
@pass_frame
def status(frame: Frame) -> None:
    """How this node hears its household, and if it does not, why."""
    frame.output.show(frame.link().ask("GET", "/api/v1/lan"), draw_status)


@click.command
@pass_frame
def peers(frame: Frame) -> None:
    """All members of the household, those too that are away."""
    frame.output.show(frame.link().ask("GET", "/api/v1/lan/peers"), draw_peers)


@click.command
@click.option("--hours", type=click.IntRange(1, MOST_HOURS), default=24, metavar="N", help="How long it is good.")
@click.option("--qr/--no-qr", default=None, help="Draw a code to photograph; without it, on a terminal only.")
@pass_frame
def invite(frame: Frame, *, hours: int, qr: bool | None) -> None:
    """Prints a link for one node, and on a terminal a QR code. `thorp lan join LINK` over there uses it up."""
    made = frame.link().ask("POST", "/api/v1/lan/invites", {"hours": hours})
    drawn = frame.output.watched if qr is None else qr

    def draw(output: Output, answer: Row) -> None:
        if drawn:
            output.raw(qr_code(answer["link"]))
        output.line(answer["link"])
        output.note(
            f"Good for one node, until {when(answer['expires'])} or the end of this node. On the other machine: "
            "`thorp lan join LINK`."
        )

    frame.output.show(made, draw)


@click.command
@click.argument("link", metavar="LINK")
@click.option("--yes", is_flag=True, help="Leave a household with other members without being asked.")
@pass_frame
def join(frame: Frame, *, link: str, yes: bool) -> None:
    """LINK comes from `thorp lan invite` on the node that founded the household."""
    from thorp.wire.invites import parse_link

    node, leads_to = frame.link(), parse_link(link).community
    others = 0 if yes else others_left(node.ask("GET", "/api/v1/lan")["household"], leads_to)
    if others:
        members = "another member" if others == 1 else f"{others} other members"
        frame.confirm(f"This node would leave a household with {members}. Join the other one?", yes=yes)
    answer = node.ask("POST", "/api/v1/lan/join", {"link": link, "yes": yes or bool(others)})
    frame.output.show(answer, draw_joined)


@click.command
@click.argument("member", metavar="NODE")
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_frame
def remove(frame: Frame, *, member: str, yes: bool) -> None:
    """NODE is a name or an id, as `thorp lan peers` shows it. It is cut off at once, in a transfer too."""
    link = frame.link()
    if not yes and link.ask("GET", "/api/v1/lan")["household"]["founded_here"]:  # elsewhere it is refused anyhow
        frame.confirm(f"Remove `{member}` from the household? It needs another invite to come back.", yes=False)
    answer = link.ask("DELETE", f"/api/v1/lan/members/{quote(member, safe='')}")
    frame.output.show(answer, lambda output, row: output.done(f"Removed {row['name']}; the others get a new secret."))


def others_left(household: Row, leads_to: str) -> int:
    """How many members this node would leave behind; the same household is no other one."""
    return 0 if household["community"] == leads_to else household["members"] - 1


def qr_code(text: str) -> str:
    """A QR code in half blocks, as dense as a terminal can show it."""
    drawn = io.StringIO()
    _QR.load().make(text, error="l").terminal(drawn, compact=True, border=2)
    return drawn.getvalue()


def draw_joined(output: Output, answer: Row) -> None:
    output.done(f"Joined the household of {answer['founder_name']}; it has {answer['members']} members.")


def draw_status(output: Output, answer: Row) -> None:
    home = answer["household"]
    whose = "founded here" if home["founded_here"] else f"founded by {home['founder_name']}"
    output.line(f"{answer['name']} is in a household of {home['members']}, {whose}")
    output.facts(
        [
            ("heard by", answer["heard"]["by"]),
            ("because", answer["heard"]["why"]),
            *(("interface", interface(one)) for one in answer["interfaces"]),
            *(("neighbour", neighbour(one)) for one in answer["neighbours"]),
            ("refused", ", ".join(f"{count} {reason}" for reason, count in sorted(answer["refused"].items()))),
            ("epoch", str(home["epoch"]) + ("" if home["has_secret"] else ", whose secret is not here yet")),
            ("community", home["community"]),
            ("notice", answer["notice"]),
        ]
    )


def interface(row: Row) -> str:
    known = {True: "multicast works", False: "no multicast", None: "multicast not known yet"}[row["multicast"]]
    ways = f"{known}, broadcast" if row["broadcast"] else known
    return f"{row['name']} {row['address']}  {ways}" + (f"; {row['why']}" if row["why"] else "")


def neighbour(row: Row) -> str:
    models = "" if row["models"] is None else f", {row['models']} model{'' if row['models'] == 1 else 's'}"
    return f"{row['name']} {row['address']}  by {row['by']}{models}"


def draw_peers(output: Output, answer: Row) -> None:
    titles = ("name", "here", "address", "models", "since", "id")
    output.table(titles, [cells(row) for row in answer["peers"]])


def cells(row: Row) -> tuple[str, ...]:
    heard = row["heard_s"]
    here = "this node" if row["this"] else "no"
    if row["here"] and not row["this"]:
        here = "yes" if heard is None else f"{span(heard)} ago"
    models = "" if row["models"] is None else str(row["models"])
    name = f"{row['name']} (founder)" if row["founder"] else row["name"]
    return name, here, row["address"] or "", models, when(row["since"]).partition(" ")[0], row["node"]
