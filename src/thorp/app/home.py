"""Making a home, and tidying up what a node that died left lying in it."""

from pathlib import Path
from typing import Final

from thorp.app.lock import HomeTakenError, read_holder
from thorp.app.paths import Paths, make_folders
from thorp.base.clock import SystemRandomness
from thorp.base.files import DISK, facts_of, find_unfinished, write_new
from thorp.store.keyfiles import NODE_KEY, node_key

EMPTY_CONFIG = b"# Settings of this node. Empty is fine; `thorp config show` lists them all.\n"
NEW_IDENTITY: Final = (
    "This node has a new identity: keys/node.key was missing. API keys and logins stay as they were. "
    "To have the old identity again, stop the node and put the key back from a backup."
)


def make_home(paths: Paths) -> dict[str, object]:
    """Folders, node key and an empty settings file, whatever of them is missing."""
    make_folders(paths)
    made = not paths.config_file.exists()
    if made:
        write_new(DISK, paths.config_file, EMPTY_CONFIG)
    lost = has_lost_its_key(paths)
    key = node_key(DISK, paths.keys, SystemRandomness())
    return {
        "home": str(paths.root),
        "node_id": key.node_id,
        "config": str(paths.config_file),
        "made": made,
        "new_identity": lost,
    }


def has_lost_its_key(paths: Paths) -> bool:
    """Whether a node that ran here before would begin again under another id."""
    return facts_of(DISK, paths.keys / NODE_KEY) is None and facts_of(DISK, paths.db) is not None


def leftovers(paths: Paths) -> tuple[Path, ...]:
    """Stale run files and unfinished temporaries. Refused while a node runs, whose files are not stale."""
    if holder := read_holder(paths.lock):
        raise HomeTakenError(
            f"A node runs here (process {holder.pid}); its files are in use. Stop it first: `thorp down`.",
            pid=holder.pid,
        )
    stale = [one for one in (paths.socket, paths.owner_token, paths.pid) if one.is_socket() or one.is_file()]
    folders = dict.fromkeys((paths.config_file.parent, paths.keys, paths.data, paths.run))
    return (*stale, *(file for folder in folders for file in find_unfinished(DISK, folder)))


def remove(found: tuple[Path, ...]) -> None:
    for one in found:
        one.unlink(missing_ok=True)
