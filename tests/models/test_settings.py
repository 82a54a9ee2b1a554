import pytest

from thorp.base.settings import BadValueError, fields_of, parse
from thorp.models.settings import ModelSettings, TransferSettings, is_place


@pytest.mark.parametrize("text", ["/srv/models", "~/models", "/"])
def test_a_models_folder_is_named_so_that_it_is_the_same_from_everywhere(text: str) -> None:
    (known,) = fields_of(ModelSettings, "models.")

    assert parse(known, text) == text
    assert is_place(text)


@pytest.mark.parametrize("text", ["models", "./models", "../models", "~other/models", "C:\\models"])
def test_what_depends_on_where_somebody_stands_is_refused(text: str) -> None:
    (known,) = fields_of(ModelSettings, "models.")

    with pytest.raises(BadValueError, match="begins with `/` or `~/`"):
        parse(known, text)


def test_an_empty_file_means_no_limit_and_a_few_at_once() -> None:
    found = TransferSettings()

    assert (found.limit, found.ranges, found.parallel) == (0, 4, 2)
