"""The hub that the pages are run against: names of real repositories, and small files of random numbers in them."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from thorp.testing.gguf import tiny_gguf
from thorp.testing.hub import FakeHub

MEGABYTE = 1_000_000
QWEN = "Qwen/Qwen2.5-0.5B-Instruct-GGUF"
MISTRAL = "TheBloke/Mistral-7B-Instruct-v0.2-GGUF"
OTHER_MISTRAL = "bartowski/Mistral-7B-Instruct-v0.3-GGUF"


@contextmanager
def hub(folder: Path) -> Generator[str]:
    """The address of a hub that stands for the one in the internet."""
    with FakeHub() as fake:
        named = {f"qwen2.5-0.5b-instruct-{quant}.gguf": size for quant, size in _SIZES.items()}
        fake.add(QWEN, _models(folder / QWEN, named), license="apache-2.0", downloads=500_000, parameters=494_032_768)
        named = {f"mistral-7b-instruct-v0.2.{quant.upper()}.gguf": size for quant, size in _SIZES.items()}
        fake.add(
            MISTRAL, _models(folder / MISTRAL, named), license="apache-2.0", downloads=90_000, parameters=7_241_732_096
        )
        named = {"Mistral-7B-Instruct-v0.3-Q4_K_M.gguf": MEGABYTE}
        fake.add(OTHER_MISTRAL, _models(folder / OTHER_MISTRAL, named), license="apache-2.0", downloads=30_000)
        fake.add("example/gated-7b-instruct-GGUF", _models(folder / "gated", _GATED), gated="manual", license="other")
        fake.add("example/pickled-7b", {"pytorch_model.bin": b"PK\3\4"})
        yield fake.url


_SIZES = {"q2_k": MEGABYTE, "q4_k_m": 20 * MEGABYTE, "q8_0": 3 * MEGABYTE}  # two pieces of a torrent are enough
_GATED = {"gated-7b-instruct-q4_k_m.gguf": MEGABYTE}


def _models(folder: Path, sizes: Mapping[str, int]) -> dict[str, Path]:
    folder.mkdir(parents=True)
    for number, (name, size) in enumerate(sizes.items()):
        tiny_gguf(folder / name, seed=number, name=folder.name, pad_to=size)
    return {name: folder / name for name in sizes}
