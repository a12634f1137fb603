"""Korean speech: the same each time, with times that fit what is heard."""

import importlib.util

import numpy as np
import pytest

from inference.errors import UserError
from scraping.demo.talks.speech import JAMO, RATE, Voice, resampled, speak

VOICE = Voice("m3", 45, 50, 170)
TEXT = "아빠가 풀밭을 봅니다."


@pytest.fixture(scope="module")
def said():
    return speak(TEXT, VOICE)


def test_a_text_sounds_the_same_each_time_and_another_voice_otherwise(said):
    assert np.array_equal(said.samples, speak(TEXT, VOICE).samples)
    higher = speak(TEXT, Voice("f2", 60, 50, 170))
    assert not np.array_equal(said.samples[: len(higher.samples)], higher.samples[: len(said.samples)])


def test_sounds_follow_each_other_without_gaps_through_the_whole(said):
    assert said.phones[0].start == 0
    assert said.phones[-1].end == pytest.approx(said.seconds, abs=0.001)
    assert all(one.end == two.start for one, two in zip(said.phones, said.phones[1:], strict=False))


def test_letters_are_those_that_are_spoken(said):
    spoken = "".join(phone.jamo for phone in said.phones if phone.jamo)
    assert spoken.startswith("ㅏㅃㅏㄱㅏㅍㅜㄹ")
    assert {phone.symbol for phone in said.phones if not phone.jamo} <= {"", "j", "w"}
    assert set(JAMO.values()) >= set("ㅁㅂㅃㅍㅏㅗㅜ")


def test_lips_are_silent_before_a_stop_bursts_and_vowels_are_loud(said):
    def loud(start: float, end: float) -> float:
        return float(np.sqrt((said.samples[round(start * RATE) : round(end * RATE)] ** 2).mean()))

    burst = next(phone for phone in said.phones if phone.jamo == "ㅃ")
    vowel = next(phone for phone in said.phones if phone.jamo == "ㅏ" and phone.start >= burst.end - 0.001)
    assert loud(burst.start - 0.03, burst.start) < 0.05 * loud(vowel.start, vowel.end)


def test_a_faster_voice_takes_less_time(said):
    assert speak(TEXT, Voice("m3", 45, 50, 260)).seconds < 0.8 * said.seconds


def test_another_rate_keeps_pitch_and_moment():
    time = np.arange(22050) / 22050
    beep = np.sin(2 * np.pi * 1000 * time) * np.exp(-(((time - 0.5) / 0.05) ** 2))
    changed = resampled(beep.astype(np.float32), 22050, 16000)
    there = np.arange(16000) / 16000
    wanted = np.sin(2 * np.pi * 1000 * there) * np.exp(-(((there - 0.5) / 0.05) ** 2))
    assert len(changed) == 16000
    assert changed == pytest.approx(wanted, abs=1e-4)


def test_without_the_package_one_line_names_the_extra(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"dramatis\[demo\]"):
        speak(TEXT, VOICE)


def test_a_voice_that_does_not_exist_is_named():
    with pytest.raises(RuntimeError, match="nobody"):
        speak(TEXT, Voice("nobody", 45, 50, 170))
