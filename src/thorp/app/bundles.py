"""Writing a model into a bundle on this machine, with or without a node."""

import threading
from pathlib import Path
from typing import Any

from thorp.app.environment import Environment
from thorp.app.paths import Paths
from thorp.app.shelf import open_library
from thorp.models.bundle import export_bundle
from thorp.models.verify import Progress


def export_here(paths: Paths, environment: Environment, ref: str, target: Path, progress: Progress) -> dict[str, Any]:
    """Return when the bundle is on disk, whole."""
    library = open_library(paths, environment)
    receipt = library.one(ref)
    size = export_bundle(library, receipt, target, progress=progress, stop=threading.Event())
    return {"ref": ref, "model_id": receipt.model_id, "file": str(target), "size_bytes": size}
