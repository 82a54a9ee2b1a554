"""Models and transfers as nodes tell of them."""

from typing import Any

Row = dict[str, Any]

REF = "Qwen/Qwen2.5-0.5B-Instruct-GGUF:q8_0"
ID = "01JD0000000000000000000000"
MODEL: Row = {
    "model_id": "qwen2.5:0.5b:instruct:q8_0",
    "aliases": ["fast"],
    "repo": "Qwen/Qwen2.5-0.5B-Instruct-GGUF",
    "revision": "9" * 40,
    "artifact": "qwen2.5-0.5b-instruct-q8_0",
    "format": "gguf",
    "quant": "q8_0",
    "size_bytes": 675_710_816,
    "license": "apache-2.0",
    "gated": False,
    "source": "hub",
    "downloaded_at": "2026-11-20T10:00:00.000Z",
    "state": "complete",
    "reason": "",
}
LIBRARY: Row = {"folder": "/data/models", "models": [MODEL], "unreadable": []}
FILE: Row = {"path": "a.gguf", "size": 675_710_816, "sha256": "0" * 64, "infohash": None, "at": "/data/models/a.gguf"}
SHOWN: Row = MODEL | {
    "version": "1",
    "files": [FILE],
    "claimed_by": None,
    "shared": "household",
    "architecture": "qwen2",
    "parameters": 494_032_768,
    "context_length": 32_768,
    "modalities": ["text"],
    "projector": None,
    "source": {"kind": "hub", "detail": "huggingface.co"},
    "verified_at": "2026-11-20T10:01:00.000Z",
    "fit": "fits",
    "receipt": "/srv/thorp/data/receipts/metadata.json",
}
HIT: Row = {
    "repo": "Qwen/Qwen2.5-0.5B-Instruct-GGUF",
    "downloads": 1_234_567,
    "likes": 12,
    "gated": False,
    "license": "apache-2.0",
    "updated": "2026-10-20T10:00:00.000Z",
    "parameters": 494_032_768,
    "tags": [],
}
OTHER_HIT: Row = HIT | {"repo": "meta/Other-GGUF", "downloads": 999, "gated": True, "license": None, "parameters": None}


def choice(quant: str, size: int, fit: str | None = "fits", *, recommended: bool = False) -> Row:
    return {
        "ref": f"Qwen/Qwen2.5-0.5B-Instruct-GGUF:{quant}",
        "model_id": f"qwen2.5:0.5b:instruct:{quant}",
        "quant": quant,
        "size_bytes": size,
        "files": 1,
        "fit": fit,
        "recommended": recommended,
    }


SMALL, GOOD, LARGE = (
    choice("q2_k", 338_000_000),
    choice("q8_0", 675_710_816, "tight", recommended=True),
    choice("f16", 1_200_000_000, "too big"),
)


def resolved(*choices: Row, repos: tuple[Row, ...] = (), **more: object) -> Row:
    return {
        "ref": "qwen",
        "repo": "Qwen/Qwen2.5-0.5B-Instruct-GGUF" if choices else None,
        "revision": "9" * 40 if choices else None,
        "license": "apache-2.0" if choices else None,
        "gated": False,
        "in_library": False,
        "repos": list(repos),
        "choices": list(choices),
        "free_bytes": 20_000_000_000,
    } | more


PULLED: Row = {
    "transfer_id": ID,
    "ref": REF,
    "model_id": "qwen2.5:0.5b:instruct:q8_0",
    "repo": "Qwen/Qwen2.5-0.5B-Instruct-GGUF",
    "revision": "9" * 40,
    "size_bytes": 675_710_816,
    "license": "apache-2.0",
    "gated": False,
    "state": "queued",
}
HERE_ALREADY: Row = PULLED | {"transfer_id": None, "state": "done"}


def transfer(state: str = "active", done: int = 100_000_000, **more: object) -> Row:
    return {
        "id": ID,
        "ref": REF,
        "model_id": "qwen2.5:0.5b:instruct:q8_0",
        "repo": "Qwen/Qwen2.5-0.5B-Instruct-GGUF",
        "revision": "9" * 40,
        "state": state,
        "note": "",
        "total": 675_710_816,
        "done": done,
        "by_source": {"hub": done} if done else {},
        "pieces": "h" * (done // (16 << 20)),
        "rate": 12_500_000 if state == "active" else 0,
        "eta": 46.0 if state == "active" else None,
        "limit": 0,
        "created": "2026-11-20T10:00:00.000Z",
        "updated": "2026-11-20T10:00:30.000Z",
        "here": True,
        "error": None,
    } | more


DONE = transfer("done", 675_710_816)
