import unicodedata

import pytest

from preprocessing.talks.korean import number, spoken


@pytest.mark.parametrize(
    ("written", "heard"),
    [
        ("(7시)/(일곱 시) 정각", "일곱 시 정각"),
        ("(일곱 시)/(7시) 정각", "일곱 시 정각"),
        ("(70%)/(칠십 퍼센트)", "칠십 퍼센트"),
        ("그때 되게 한여름이어서, 되게 뜨거웠거든요.", "그때 되게 한여름이어서 되게 뜨거웠거든요"),
        ("b/ 아/ 그래서 n/ 갔어요", "아 그래서 갔어요"),
        ("그거 xx 있잖아 x", "그거 있잖아"),
        ("3% 올랐다", "삼 퍼센트 올랐다"),
        ("1,200원", "천이백원"),
        ("도서관엘\xa0다시", "도서관엘 다시"),
        ("How are you?", "How are you?"),
        ("?!", "?!"),
    ],
)
def test_a_transcript_is_written_as_it_is_heard(written, heard):
    assert spoken(written) == heard


def test_of_two_spellings_without_digits_the_corpus_says_which_is_spoken():
    assert spoken("(안돼써)/(안됐어)", "first") == "안돼써"
    assert spoken("(안돼써)/(안됐어)", "second") == "안됐어"
    assert spoken("(안돼써)(안됐어)", "first") == "안돼써"


def test_letters_stored_one_by_one_become_syllables():
    assert spoken(unicodedata.normalize("NFD", "안녕하세요")) == "안녕하세요"


def test_nothing_said_is_nothing():
    assert spoken(None) is None
    assert spoken("  ") is None


@pytest.mark.parametrize(
    ("digits", "read"),
    [
        ("0", "영"),
        ("10", "십"),
        ("11", "십일"),
        ("2025", "이천이십오"),
        ("10000", "만"),
        ("30500", "삼만 오백"),
        ("100000000", "일억"),
        ("010", "영일영"),
        ("9" * 17, "구" * 17),
    ],
)
def test_numbers_are_read_in_hangul(digits, read):
    assert number(digits) == read
