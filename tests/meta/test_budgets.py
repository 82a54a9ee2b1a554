from pathlib import Path

from tools.meta.budgets import (
    LONGEST_FILE,
    LONGEST_FUNCTION,
    MOST_FILES,
    MOST_FUNCTIONS,
    above,
    file_lengths,
    function_lengths,
    nine_in_ten,
)
from tools.meta.excuses import judged, read
from tools.meta.source import python_files, repository_files

ROOT = Path(__file__).parents[2]
EXCUSED = read(Path(__file__).with_name("exceptions.toml"), "lengths")
MEASURED = (".py", ".ts", ".tsx", ".css", ".sql")


def test_no_function_and_no_file_exceeds_its_budget() -> None:
    functions = function_lengths(ROOT, ("src", "tools", "tests"))
    files = file_lengths(ROOT, [path for path in repository_files(ROOT) if path.suffix in MEASURED])

    assert judged(above(functions, LONGEST_FUNCTION) | above(files, LONGEST_FILE), EXCUSED) == []


def test_nine_functions_in_ten_are_short() -> None:
    assert nine_in_ten(function_lengths(ROOT, ("src",)).values()) <= MOST_FUNCTIONS


def test_nine_files_in_ten_are_short() -> None:
    assert nine_in_ten(file_lengths(ROOT, python_files(ROOT / "src")).values()) <= MOST_FILES


def test_a_long_function_is_caught(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/plan.py").write_text("class A:\n  async def decide():\n" + "    pass\n" * LONGEST_FUNCTION)

    assert above(function_lengths(tmp_path, ("src",)), LONGEST_FUNCTION) == {
        "src/plan.py:decide": "has 61 lines; 60 are allowed"
    }


def test_a_long_file_is_caught(tmp_path: Path) -> None:
    long = tmp_path / "plan.py"
    long.write_text("\n" * 701)

    assert above(file_lengths(tmp_path, [long]), LONGEST_FILE) == {"plan.py": "has 701 lines; 700 are allowed"}


def test_too_many_long_ones_are_caught() -> None:
    assert nine_in_ten([10] * 9 + [100]) == 10
    assert nine_in_ten([10] * 8 + [100] * 2) == 100
    assert nine_in_ten([]) == 0
