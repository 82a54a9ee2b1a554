"""The folder of keys: what is made there is private from its first byte, what is unsafe there is refused.

The node key is never overwritten, and no file there repaired or widened: losing that key is losing an identity, so a
person decides. A secret beside it gives way to a newer one.
"""

from pathlib import Path
from typing import Final

from thorp.base.clock import Randomness
from thorp.base.errors import IntegrityError
from thorp.base.files import (
    FileFacts,
    FileKind,
    FilePort,
    FileTakenError,
    explaining,
    facts_of,
    read_bounded,
    write_atomically,
    write_new,
)
from thorp.identity.keys import NodeKey

NODE_KEY: Final = "node.key"
SEED_BYTES: Final = 32
LARGEST: Final = 4096
OTHERS: Final = 0o077  # permission bits of everybody but the owner


class KeyFileError(IntegrityError):
    """A key file, or the folder of keys, that must not be used as it is."""

    code = "store.key_file"


def node_key(files: FilePort, folder: Path, randomness: Randomness) -> NodeKey:
    """The key of this node, made when there is none yet."""
    _make_private_folder(files, folder)
    _refuse_unsafe(files, folder, FileKind.FOLDER, "700")
    path = folder / NODE_KEY
    if facts_of(files, path) is None:
        try:
            write_new(files, path, randomness.bytes(SEED_BYTES))
        except FileTakenError:
            if facts_of(files, path) is None:  # not another process that was faster
                raise
    return load_node_key(files, folder)


def load_node_key(files: FilePort, folder: Path) -> NodeKey:
    """The key of this node; FileMissingError when it was never made."""
    return NodeKey(node_seed(files, folder))


def node_seed(files: FilePort, folder: Path) -> bytes:
    """What the key of this node is made of, for who has to make a certificate of it."""
    path = folder / NODE_KEY
    seed = _read_safely(files, folder, path)
    if len(seed) != SEED_BYTES:
        raise KeyFileError(
            f"`{path}` holds {len(seed)} bytes where a node key has {SEED_BYTES}; it was left as it is. "
            "Restore it from a backup, or move it aside to start as a new node.",
            path=str(path),
        )
    return seed


def kept_secret(files: FilePort, folder: Path, name: str) -> bytes | None:
    """A secret beside the node key; None when there is none yet."""
    path = folder / name
    return None if facts_of(files, path) is None else _read_safely(files, folder, path)


def keep_secret(files: FilePort, folder: Path, name: str, content: bytes) -> None:
    """Write a secret beside the node key, whole or not at all; unlike that key it may be a newer one."""
    _make_private_folder(files, folder)
    _refuse_unsafe(files, folder, FileKind.FOLDER, "700")
    write_atomically(files, folder / name, content)


def _read_safely(files: FilePort, folder: Path, path: Path) -> bytes:
    _refuse_unsafe(files, folder, FileKind.FOLDER, "700")
    _refuse_unsafe(files, path, FileKind.FILE, "600")
    return read_bounded(files, path, LARGEST)


def _make_private_folder(files: FilePort, folder: Path) -> None:
    if facts_of(files, folder) is not None:
        return
    with explaining("make the folder", folder):
        try:
            files.make_folder(folder, 0o700)
        except FileExistsError:
            return  # another process was faster; its work is checked like any other
        files.sync_folder(folder.parent)


def _refuse_unsafe(files: FilePort, path: Path, kind: FileKind, mode: str) -> None:
    """Refuse what others could read or replace. Inside a folder that passed, nobody else can swap what is checked."""
    facts = facts_of(files, path)
    if facts and (trouble := _trouble(facts, kind, mode, path)):
        raise KeyFileError(f"`{path}` {trouble}", path=str(path))


def _trouble(facts: FileFacts, kind: FileKind, mode: str, path: Path) -> str | None:
    if facts.kind is not kind:
        return f"is not a plain {kind}. Move it aside, or put the real {kind} there."
    if not facts.mine:
        return "belongs to another user. Run Thorp as that user, or move it aside."
    if facts.mode & OTHERS:
        return f"is open to other users of this machine. If nobody read it, close it with `chmod {mode} {path}`."
    return None
