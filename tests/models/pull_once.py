"""Pulls or repairs in processes of their own, each of which kills itself at a stage.

    pull_once.py URL pull|repair HOME STAGE [HOME STAGE …]
    pull_once.py URL slowly HOME

Forked out of one that has loaded everything, so that twenty deaths take no longer than two. `slowly` says `begun` and
pulls in this very process, until somebody else kills it.
"""

import os
import signal
import sys
from pathlib import Path

from tests.models.pulling import Home, a_home
from thorp.models.fetching import Pace
from thorp.models.stages import Stage


def main(url: str, what: str, *places: str) -> None:
    if what == "slowly":
        with a_home(Path(places[0]), url) as home:
            print("begun", flush=True)
            home.pull()
        return
    for top, stage in zip(places[::2], places[1::2], strict=True):
        print(_end_of(_forked(url, what, Path(top), Stage(stage))), flush=True)


def _forked(url: str, what: str, top: Path, last: Stage) -> int:
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]

    def reached(stage: Stage) -> None:
        if stage is last:
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        with a_home(top, url, reached=reached) as home:
            _work(home, what)
    finally:
        os._exit(3)


def _work(home: Home, what: str) -> None:
    if what == "repair":
        home.repair(home.library.receipts()[0], pace=Pace())
    else:
        home.transfer()


def _end_of(status: int) -> str:
    return "killed" if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL else f"ended: {status}"


if __name__ == "__main__":
    main(*sys.argv[1:])
