"""A second process of the same home: pulls what it is told without a node, and says how that goes."""

import sys

from thorp.app.environment import Environment
from thorp.app.here import open_here
from thorp.app.paths import paths_of


def main(ref: str) -> None:
    environment = Environment.read()
    with open_here(paths_of(environment), environment) as here:
        transfer = here.call("model.pull", ref=ref)["transfer_id"]
        sys.stdout.write(f"{transfer}\n")
        sys.stdout.flush()
        *_, last = here.follow(transfer)
        sys.stdout.write(f"{last['state']}\n")


if __name__ == "__main__":
    main(sys.argv[1])
