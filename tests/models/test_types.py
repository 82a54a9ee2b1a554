from thorp.models.types import Candidate, Format, RemoteFile

WEIGHTS = (RemoteFile("a-00001-of-00002.gguf", 5, "a" * 64), RemoteFile("a-00002-of-00002.gguf", 7, "b" * 64))
PROJECTOR = RemoteFile("mmproj.gguf", 3, "c" * 64)


def test_an_artifact_is_all_its_files_and_as_large() -> None:
    alone = Candidate("a:1b:base:q4_0", "q4_0", "a", Format.GGUF, WEIGHTS)

    assert (alone.size, alone.every_file) == (12, WEIGHTS)


def test_a_projector_belongs_to_it_and_comes_last() -> None:
    seeing = Candidate("a:1b:base:q4_0", "q4_0", "a", Format.GGUF, WEIGHTS, PROJECTOR)

    assert (seeing.size, seeing.every_file) == (15, (*WEIGHTS, PROJECTOR))
