from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thorp.models.ids import ModelId
from thorp.models.refs import (
    BadRefError,
    IdRef,
    Query,
    Ref,
    RepoRef,
    check_path,
    check_repo,
    check_revision,
    parse_ref,
    text_of,
)

COMMIT = "0123456789abcdef0123456789abcdef01234567"
HUB = "https://huggingface.co"
READ: list[tuple[str, Ref]] = [
    ("mistral", Query("mistral")),
    ("  llama 3 instruct ", Query("llama 3 instruct")),
    ("qwen2.5:0.5b", Query("qwen2.5:0.5b")),
    ("mistral:7b:instruct:q4_k_m", IdRef(ModelId("mistral:7b:instruct:q4_k_m"))),
    ("Mistral:7B:instruct:Q4_K_M", IdRef(ModelId("mistral:7b:instruct:q4_k_m"))),
    ("org/repo", RepoRef("org/repo")),
    ("org/repo/", RepoRef("org/repo")),
    ("org/repo:Q4_K_M", RepoRef("org/repo", "Q4_K_M")),
    ("org/repo@v1.0", RepoRef("org/repo", None, "v1.0")),
    (f"org/repo@{COMMIT}:Q8_0", RepoRef("org/repo", "Q8_0", COMMIT)),
    ("org/repo:Q8_0@refs/pr/3", RepoRef("org/repo", "Q8_0", "refs/pr/3")),
    ("hf.co/org/repo", RepoRef("org/repo")),
    ("HF.co/org/repo:UD-Q4_K_XL", RepoRef("org/repo", "UD-Q4_K_XL")),
    ("huggingface.co/org/repo@main", RepoRef("org/repo", None, "main")),
    (f"{HUB}/org/repo", RepoRef("org/repo")),
    (f"{HUB}/org/repo/?show_file_info=x.gguf#top", RepoRef("org/repo")),
    (f"{HUB}/org/repo:Q4_K_M", RepoRef("org/repo", "Q4_K_M")),
    ("HTTPS://HuggingFace.co:443/org/repo", RepoRef("org/repo")),
    (f"{HUB}/org/repo/tree/main", RepoRef("org/repo", None, "main")),
    (f"{HUB}/org/repo/tree/refs%2Fpr%2F3", RepoRef("org/repo", None, "refs/pr/3")),
    (f"{HUB}/org/repo/tree/main/UD-Q4_K_XL", RepoRef("org/repo", None, "main", "UD-Q4_K_XL")),
    (f"{HUB}/org/repo/resolve/main/a/F.gguf?download=true", RepoRef("org/repo", None, "main", "a/F.gguf")),
    (f"{HUB}/org/repo/blob/{COMMIT}/my%20F%231.gguf", RepoRef("org/repo", None, COMMIT, "my F#1.gguf")),
    ("hf.co/org/repo/a%20b/F.gguf", RepoRef("org/repo", None, None, "a b/F.gguf")),
    ("hf.co/org/repo/resolve/main/F.gguf", RepoRef("org/repo", None, "main", "F.gguf")),
    ("org/repo/F.Q4_K_M.gguf", RepoRef("org/repo", None, None, "F.Q4_K_M.gguf")),
    ("org/repo/a/b/F.gguf", RepoRef("org/repo", None, None, "a/b/F.gguf")),
    ("org/repo/F@2.gguf", RepoRef("org/repo", None, None, "F@2.gguf")),
    ("org/repo/a/F.gguf@v2", RepoRef("org/repo", None, "v2", "a/F.gguf")),
    ("org/repo/tree/main/F.gguf", RepoRef("org/repo", None, None, "tree/main/F.gguf")),
]
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.]{0,20}[A-Za-z0-9]", fullmatch=True).filter(lambda one: ".." not in one)
REPOS = st.builds("{}/{}".format, NAMES, NAMES).filter(lambda one: accepted(check_repo, one))
QUANTS = st.none() | st.sampled_from(["Q4_K_M", "q8_0", "UD-Q4_K_XL", "i1-IQ3_XXS", "f16"])
REVISIONS = st.sampled_from(["main", "v1.0", "refs/pr/3", COMMIT, "feature/x-y"])
PATHS = st.text(st.characters(exclude_categories=("C",)), min_size=1, max_size=60).map("{}.gguf".format)


def accepted(check: Callable[[str], object], text: str) -> bool:
    try:
        check(text)
    except BadRefError:
        return False
    return True


@pytest.mark.parametrize(("text", "ref"), READ)
def test_what_a_person_types_is_read(text: str, ref: Ref) -> None:
    assert parse_ref(text) == ref
    assert parse_ref(text_of(ref)) == ref


@given(REPOS, QUANTS, st.none() | REVISIONS)
def test_a_repository_is_read_back(repo: str, quant: str | None, revision: str | None) -> None:
    ref = RepoRef(repo, quant, revision)

    assert parse_ref(text_of(ref)) == ref


@given(REPOS, st.none() | REVISIONS, PATHS.filter(lambda path: accepted(check_path, path)))
def test_a_file_is_read_back(repo: str, revision: str | None, path: str) -> None:
    ref = RepoRef(repo, None, revision, path)

    assert parse_ref(text_of(ref)) == ref


@given(st.text(max_size=600) | st.from_regex(r"(https?://)?(hf\.co|a)?/?[a@:%/.\\ ]*(\.gguf)?", fullmatch=True))
def test_any_text_is_read_or_refused_and_what_is_read_is_safe(text: str) -> None:
    try:
        ref = parse_ref(text)
    except BadRefError:
        return
    assert parse_ref(text_of(ref)) == ref
    if isinstance(ref, RepoRef):
        check_repo(ref.repo)
        assert ref.path is None or check_path(ref.path)
        assert ref.revision is None or check_revision(ref.revision)


@pytest.mark.parametrize(
    "text",
    [
        r"http://a@b\@c",
        r"https://huggingface.co\@evil.example/a/b",
        r"https:\\huggingface.co\a\b",
        "https://huggingface.co@evil.example/a/b",
        "https://evil.example@huggingface.co/a/b",
        "https://user:pass@huggingface.co/a/b",
        "https://huggingface.co:80/a/b",
        "https://huggingface.co:/a/b",
        "https://huggingface.co:443:443/a/b",
        "https://huggingface.co./a/b",
        "https://huggingface.co.evil.example/a/b",
        "https://evil.example/huggingface.co/a/b",
        "https://evil.example#huggingface.co/a/b",
        "https://evil.example?huggingface.co/a/b",
        "https://huggingfa\u0441e.co/a/b",
        "https://127.0.0.1/a/b",
        "https://[::1]/a/b",
        "https:///huggingface.co/a/b",
        "https://",
        "http://huggingface.co/a/b",
        "//huggingface.co/a/b",
        "file:///etc/passwd",
        "ftp://huggingface.co/a/b",
        "javascript://huggingface.co/a/b",
        "https:/huggingface.co/a/b",
        "user@hf.co/a/b",
        "hf.co:80/a/b",
    ],
)
def test_B23_an_address_that_two_parsers_read_differently_is_refused(text: str) -> None:
    with pytest.raises(BadRefError):
        parse_ref(text)


@pytest.mark.parametrize(
    "text",
    [
        f"{HUB}/a%2Fb/c",
        f"{HUB}/a/b%2f..%2fc",
        f"{HUB}/a/b/resolve/main/..%2f..%2fx.gguf",
        f"{HUB}/a/b/resolve/main/%2e%2e/x.gguf",
        f"{HUB}/a/b/resolve/..%2F..%2Fetc/x.gguf",
        f"{HUB}/a/b/resolve/main/x%5cy.gguf",
        f"{HUB}/a/b/resolve/main/x%00.gguf",
        f"{HUB}/a/b/resolve/main/x%0a.gguf",
        f"{HUB}/a/b/resolve/main/%ff.gguf",
        f"{HUB}/a/b/resolve/main/%zz.gguf",
        f"{HUB}/a/b%40main",
        f"{HUB}/a/b%3AQ4_0",
        f"{HUB}/a/b/x.gguf%40main",
    ],
)
def test_B23_encoded_separators_are_refused(text: str) -> None:
    with pytest.raises(BadRefError):
        parse_ref(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "a" * 513,
        "mis\x00tral",
        "mis\x1b[2Jtral",
        "mis\ntral",
        "mis\u202etral",
        "mis\u200btral",
        "mis\ud800tral",
        "a\\b",
        ".",
        "..",
        "~",
        "./model.gguf",
        "../a/b.gguf",
        "~/models/a.gguf",
        "/etc/passwd",
        "a/..",
        "a/b/../c.gguf",
        "a/b/./c.gguf",
        "a/b//c.gguf",
        "a/b/CON.gguf",
        "a/b/c.gguf:Q4_K_M",
        "a/b/c.txt",
        "a/b/c",
        "ollama.com/library/mistral",
        "a/b@",
        "a/b:",
        "a/b:Q4:Q5",
        "a/b@x@y",
        "a/b@x:Q4@y",
        "a/b@../../x",
        "a/b:Q4 K",
        "hf.co",
        "hf.co/repo",
        "hf.co/datasets/a/b",
        f"{HUB}/spaces/a/b",
        f"{HUB}/a/b/blob/main/README.md",
        f"{HUB}/a/b/discussions/3",
        "mistral:7b::q4",
        ":::",
    ],
)
def test_what_names_no_model_is_refused(text: str) -> None:
    with pytest.raises(BadRefError) as caught:
        parse_ref(text)

    assert (caught.value.code, caught.value.exit_code) == ("models.bad_ref", 2)
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 400


@pytest.mark.parametrize("name", ["a/b", "Org-1/Repo_2.x", "_a/b_", f"{'a' * 96}/{'b' * 96}"])
def test_names_that_the_hub_allows(name: str) -> None:
    assert check_repo(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a",
        "/",
        "a/",
        "/b",
        "a/b/c",
        "a--x/b",
        "a/b--x",
        "a/b..x",
        "-a/b",
        "a-/b",
        ".a/b",
        "a/b.",
        "a/b.git",
        "a/ b",
        "ä/b",
        "a/b\n",
        "hf.co/b",
        "datasets/b",
        f"a/{'b' * 97}",
    ],
)
def test_names_that_the_hub_does_not_allow(name: str) -> None:
    with pytest.raises(BadRefError):
        check_repo(name)


@pytest.mark.parametrize("text", ["main", "v1.0", COMMIT, "refs/pr/3", "refs/convert/parquet", "6.0bpw", "a" * 200])
def test_revisions(text: str) -> None:
    assert check_revision(text) == text


@pytest.mark.parametrize(
    "text",
    ["", "..", "a/../b", "a..b", "/a", "a/", "a//b", ".a", "a/.b", "-a", "a.lock", "a.", "a b", "a\n", "a" * 201],
)
def test_what_is_no_revision(text: str) -> None:
    with pytest.raises(BadRefError):
        check_revision(text)


@pytest.mark.parametrize("text", ["a.gguf", "a/b c/d.json", ".gitattributes", "ü/é.gguf", "console.gguf", "COM10.gguf"])
def test_paths(text: str) -> None:
    assert check_path(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/a",
        "a/",
        "a//b",
        ".",
        "..",
        "a/../b",
        "a/..",
        "a\\b",
        "C:/a",
        "a:b",
        "a\x00b",
        "a\x7fb",
        "a\u202eb",
        "a\ud800b",
        "e\u0301.gguf",
        "a./b",
        "a /b",
        "CON",
        "con.gguf",
        "a/NUL.txt",
        "COM1.x",
        "LPT¹",
        "aux .json",
        "a?.gguf",
        "a*",
        "a" * 513,
        "ä" * 128,
    ],
)
def test_paths_that_would_leave_or_mean_something_else(text: str) -> None:
    with pytest.raises(BadRefError):
        check_path(text)
