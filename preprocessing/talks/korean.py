"""Transcripts as they are spoken: Korean corpora write marks, digits and two spellings of the same word into them."""

import re
import unicodedata

HANGUL = re.compile(r"[ㄱ-ㅎㅏ-ㅣ가-힣]")
DUAL = re.compile(r"\(([^()/]*)\)\s*/?\s*\(([^()/]*)\)")
SOUNDS = re.compile(r"(?<![^\s])[bluno]/")  # breath, laughter, a word not understood, noise: KsponSpeech's marks
MUTE = re.compile(r"(?<![A-Za-z])[xX]+(?![A-Za-z])")
DIGITS = "영일이삼사오육칠팔구"
TENS = ("", "십", "백", "천")
MYRIADS = ("", "만", "억", "조")
MOST_DIGITS = 16


def spoken(text: str | None, notation: str = "second") -> str | None:
    """Write a Korean transcript as it is heard, in Hangul and spaces; a text in other letters stays as it is, NFC.

    Of a dual notation, (7시)/(일곱 시), the side without digits is taken, else the `notation` one: first or second.
    None where nothing is left.
    """
    if text is None:
        return None
    text = unicodedata.normalize("NFC", text)
    if not HANGUL.search(text):
        return " ".join(text.split()) or None
    text = DUAL.sub(lambda match: _side(match[1], match[2], notation), text)
    text = SOUNDS.sub(" ", text)
    text = MUTE.sub(" ", text)
    text = re.sub(r"(?<=\d),(?=\d{3})", "", text).replace("%", " 퍼센트 ")
    text = re.sub(r"\d+", lambda match: number(match[0]), text)
    return " ".join(re.sub(r"[^ㄱ-ㅎㅏ-ㅣ가-힣\s]", "", text).split()) or None


def number(digits: str) -> str:
    """Read a number in Hangul, Sino-Korean: 2025 is 이천이십오.

    One that begins with 0, or is very long, is read digit by digit.
    """
    if len(digits) > MOST_DIGITS or (len(digits) > 1 and digits[0] == "0"):
        return "".join(DIGITS[int(digit)] for digit in digits)
    value = int(digits)
    if value == 0:
        return DIGITS[0]
    groups = []
    for power, name in enumerate(MYRIADS):
        group = value // 10_000**power % 10_000
        if group:
            words = "" if (group, name) == (1, "만") and value < 20_000 else _below_myriad(group)
            groups.append(words + name)
    return " ".join(reversed(groups))


def _below_myriad(value: int) -> str:
    words = ""
    for power in (3, 2, 1, 0):
        digit = value // 10**power % 10
        if digit:
            words += ("" if digit == 1 and power else DIGITS[digit]) + TENS[power]
    return words


def _side(first: str, second: str, notation: str) -> str:
    written = [bool(re.search(r"[0-9A-Za-z%]", side)) for side in (first, second)]
    if written[0] != written[1]:
        return second if written[0] else first
    return first if notation == "first" else second
