"""What the demo speakers say."""

import unicodedata

import numpy as np

from scraping.demo.talks.sentences import SENTENCES, draw, jamo, syllables


def test_sentences_are_whole_hangul_composed_and_no_two_alike():
    assert len(set(SENTENCES)) == len(SENTENCES) >= 90
    for sentence in SENTENCES:
        assert unicodedata.is_normalized("NFC", sentence)
        assert all(unicodedata.name(c).startswith("HANGUL SYLLABLE") for c in sentence if c not in " .")


def test_every_sentence_closes_rounds_and_opens_the_mouth():
    for sentence in SENTENCES:
        letters = set(jamo(sentence))
        assert letters & set("ㅁㅂㅃㅍㅄㄻㄼㄿ"), sentence
        assert letters & set("ㅗㅜㅛㅠㅘㅝㅚㅟ"), sentence
        assert letters & set("ㅏㅑㅘ"), sentence


def test_all_four_bilabials_come_often():
    letters = [letter for sentence in SENTENCES for letter in jamo(sentence)]
    assert all(letters.count(letter) >= 10 for letter in "ㅁㅂㅃㅍ")


def test_syllables_fall_apart_into_letters_however_they_are_written():
    assert jamo("값을 봐!") == list("ㄱㅏㅄㅇㅡㄹㅂㅘ")
    assert jamo(unicodedata.normalize("NFD", "밤")) == list("ㅂㅏㅁ")
    assert syllables("봄이 오면.") == 4


def test_as_much_is_drawn_as_fits():
    text = draw(np.random.default_rng(1), 40)
    assert 25 <= syllables(text) <= 40
    assert text == draw(np.random.default_rng(1), 40)
    assert draw(np.random.default_rng(1), 3) in SENTENCES
