"""Generated songs: their beats are where the score says, and a beat can be heard there."""

import io
import wave

import numpy as np
import pytest

from scraping.demo.dances import songs
from scraping.demo.dances.genres import GENRES
from scraping.demo.dances.instruments import RATE

SECONDS = 8.0


@pytest.fixture(scope="module")
def house() -> tuple[songs.Score, np.ndarray]:
    score = songs.score("HO", 2, 7, SECONDS)
    return score, songs.play(score)


@pytest.mark.parametrize("genre", GENRES)
def test_a_song_has_the_tempo_that_its_name_tells(genre):
    score = songs.score(genre, 3, 1, SECONDS)
    assert score.bpm == (125 if genre == "HO" else 110)
    assert np.diff(score.beats) == pytest.approx(60 / score.bpm)
    assert score.seconds >= SECONDS


def test_waltzes_are_counted_in_six_and_all_else_in_eight():
    assert songs.score("JB", 2, 1, SECONDS).counts == 6
    assert songs.score("JB", 1, 1, SECONDS).counts == 8


def test_songs_come_in_whole_phrases():
    score = songs.score("MH", 1, 5, SECONDS)
    assert len(score.beats) == len(score.phrases) * score.counts + 1


def test_drums_strike_where_the_score_has_beats(house):
    score, sound = house
    low = np.abs(sound.mean(0))
    first = next(n for n, phrase in enumerate(score.phrases) if phrase.level) * score.counts
    beats = np.array(score.beats[first : first + score.counts - 1])

    def loudness(at: np.ndarray) -> float:
        return float(np.mean([low[round(t * RATE) : round(t * RATE) + RATE // 25].mean() for t in at]))

    assert loudness(beats) > 1.3 * loudness(beats + 0.3 * score.beat)


def test_a_song_stops_where_its_score_does():
    score = next(
        found
        for found in (songs.score("KR", 1, seed, SECONDS) for seed in range(50))
        if any(phrase.stop for phrase in found.phrases)
    )
    sound = songs.play(score)
    stop = [phrase.stop for phrase in score.phrases].index(True)
    silent = score.beats[(stop + 1) * score.counts - 1]

    def power(start: float) -> float:
        return float((sound[:, round(start * RATE) : round((start + 0.5 * score.beat) * RATE)] ** 2).mean())

    assert power(silent + 0.4 * score.beat) < 0.1 * power(silent - score.beat)


def test_sound_is_neither_clipped_nor_faint(house):
    _, sound = house
    assert 0.85 < np.abs(sound).max() < 1
    assert 0.1 < np.sqrt((sound**2).mean()) < 0.5


def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_song(house):
    score, sound = house
    assert songs.as_wav(songs.play(score)) == songs.as_wav(sound)
    assert songs.score("HO", 2, 8, SECONDS) != score


def test_the_file_is_a_wav_of_the_score_s_length(house):
    score, sound = house
    with wave.open(io.BytesIO(songs.as_wav(sound))) as file:
        assert (file.getnchannels(), file.getframerate()) == (2, RATE)
        assert file.getnframes() / RATE == pytest.approx(score.seconds, abs=0.001)
