import json

import pytest

from inference.strangers import MAX_DEPTH, parse, plain, shown_json


@pytest.mark.parametrize("text", ["NaN", "-Infinity", "1e999", '{"a": 1, "a": 1}', "{", "9" * 5000, b"\xff"])
def test_what_is_no_plain_json_is_a_value_error(text):
    try:
        value = parse(text)
    except ValueError:
        return
    pytest.fail(f"read {value!r}")


def test_depth_is_bounded_to_the_level():
    assert parse("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    for depth in (MAX_DEPTH + 1, 100_000):
        with pytest.raises(ValueError, match="nested too deep"):
            parse("[" * depth + "]" * depth)


def test_plain_text_keeps_letters_and_drops_what_steers():
    assert plain("민지 é\x1b[2J\x9b\u202e\ud800\n") == "민지 é?[2J????"


def test_shown_json_reads_back_and_is_printable():
    value = {"민지\x9b": ["\u202e", "\ud800", "\U000e0001", "\x1b", 'a"b\\']}
    text = shown_json(value)
    assert json.loads(text) == value
    assert "민지" in text
    assert all(letter.isprintable() or letter == "\n" for letter in text)
