import unicodedata

import pytest

from inference.errors import UserError
from inference.seeds import MAX_COUNT, parse, seed_of, shorten


def test_a_name_is_a_seed_whichever_way_its_letters_are_composed():
    composed, decomposed = (unicodedata.normalize(form, "민지") for form in ("NFC", "NFD"))
    assert composed != decomposed
    assert seed_of(composed) == seed_of(decomposed)
    assert seed_of("민지") != seed_of("minji")


def test_the_seed_of_a_name_never_changes():
    assert seed_of("minji") == 0x995755FB  # sha256sum of the name, its first eight digits


@pytest.mark.parametrize("seed", [-1, 2**32, "7up", "", "a,b", "x" * 101, "-", 1.5, "a\x1b[2J", "a\ud800"])
def test_what_is_neither_seed_nor_name_is_refused(seed):
    with pytest.raises(UserError):
        seed_of(seed)


def test_ranges_lists_and_names_keep_their_order():
    seeds = parse("9, 1-3,민지")
    assert [seed.number for seed in seeds] == [9, 1, 2, 3, seed_of("민지")]
    assert [seed.title for seed in seeds] == ["9", "1", "2", "3", "민지"]


@pytest.mark.parametrize("text", ["1-", "-1", "1--3", "", ",", "1,,2", "1.5", "1-x", "4294967296", "9" * 5000, "٣"])
def test_what_is_no_list_of_seeds_is_refused_in_one_short_line(text):
    with pytest.raises(UserError) as caught:
        parse(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_a_range_that_runs_backwards_says_how_to_write_it():
    with pytest.raises(UserError, match="write 3-9"):
        parse("9-3")


@pytest.mark.parametrize("text", ["1-100000000", "1-9000,1-9000", ",".join(["1"] * (MAX_COUNT + 1))])
def test_too_many_are_refused_before_they_are_counted_out(text):
    with pytest.raises(UserError, match=f"more than {MAX_COUNT}"):
        parse(text)


def test_as_many_as_are_allowed_are_not_too_many():
    assert len(parse(f"1-{MAX_COUNT}")) == MAX_COUNT


@pytest.mark.parametrize("text", ["1-3,9", "5", "4,3,2", "0-1,7-8"])
def test_what_is_shortened_reads_back(text):
    assert shorten([seed.number for seed in parse(text)]) == text
