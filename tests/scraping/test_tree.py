"""The demo talks: what is planned, planted and known of each clip."""

import hashlib
import json
import unicodedata
from itertools import chain

import numpy as np
import pytest

from inference import audio
from scraping.demo.studio import Studio
from scraping.demo.talks import tree
from scraping.demo.talks.tree import RATE, Clip, Job

SECONDS = 2.0
CLIPS = (Clip(100002, 1, "speech", 5), Clip(100002, 2, "silent", 0), Clip(100002, 3, "pause", 0))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("talks")
    tree.make(Studio("cpu"), Job(CLIPS, SECONDS, 96, folder))
    return folder


def row(folder, clip: Clip) -> dict:
    return json.loads((folder / "rows" / f"{clip.key}.json").read_text())


def test_one_clip_in_five_or_so_has_an_offset_and_all_offsets_come():
    clips = tree.plan(100000, 60, 10)
    planted = [clip.offset for clip in clips if clip.offset]
    assert 0.13 < len(planted) / len(clips) < 0.22
    assert set(planted) == set(range(-7, 8)) - {0}
    assert all(clip.kind == "speech" for clip in clips if clip.offset)
    assert {clip.kind for clip in clips} == {"speech", "pause", "silent"}


def test_nobody_is_in_two_lists():
    for count in (3, 10, 60):
        lists = tree.split(range(count))
        assert sorted(chain(*lists.values())) == list(range(count))
        assert all(lists.values())


def test_a_clip_is_what_its_truth_says(made):
    known = row(made, CLIPS[0])
    video = made / "main" / f"{CLIPS[0].key}.mp4"
    assert known["sha256"] == hashlib.sha256(video.read_bytes()).hexdigest()
    assert known["frames"] == 50 == len(known["opening"]) == len(known["closed"]) == len(known["mouth"])
    assert known["offset"] == 5
    text = (made / "main" / f"{CLIPS[0].key}.txt").read_text()
    assert text == f"Text:  {known['text']}\nConf:  4\n"
    assert unicodedata.is_normalized("NFC", text)


def test_lips_touch_on_bilabials_and_in_silence_and_open_on_wide_vowels(made):
    for clip in (CLIPS[0], CLIPS[2]):
        known = row(made, clip)
        inside = [f for f in range(50) for a, b in known["bilabials"] if a + 0.004 <= f / 25 <= b - 0.004]
        assert inside
        assert all(known["closed"][f] for f in inside)
        still = [f for f in range(50) for a, b in known["silences"] if a + 0.1 <= f / 25 <= b - 0.1]
        assert all(known["closed"][f] for f in still)
        vowels = [(a, b) for _, jamo, a, b in known["phonemes"] if jamo == "ㅏ"]
        wide = [max(known["opening"][f] for f in range(50) if a - 0.02 <= f / 25 <= b + 0.02) for a, b in vowels]
        assert max(wide) > 0.5
        assert np.mean(wide) > 0.35


def test_a_silent_clip_says_nothing_and_moves_no_lips(made):
    known = row(made, CLIPS[1])
    assert known["text"] == ""
    assert known["phonemes"] == []
    assert all(known["closed"])
    heard = audio.decode(made / "main" / f"{CLIPS[1].key}.mp4")
    assert np.sqrt((heard**2).mean()) < 0.004


def test_sound_comes_as_many_frames_late_as_planted(made):
    _, phones, wanted = tree.recorded(CLIPS[0], SECONDS)
    heard = audio.decode(made / "main" / f"{CLIPS[0].key}.mp4")
    size = 1 << 16
    match = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(wanted, size)))
    late = int(match.argmax())
    assert late == pytest.approx(5 * RATE / 25, abs=16)
    assert phones[0].start >= tree.MARGIN[0] - 0.001


@pytest.mark.parametrize("frames", [-7, -1, 0, 3])
def test_shifted_sound_keeps_its_length(frames):
    samples = np.arange(1, 16001, dtype=np.float32)
    moved = tree.shifted(samples, frames)
    assert len(moved) == len(samples)
    middle = 8000
    assert moved[middle] == samples[middle - frames * 640]


def test_the_same_clip_gives_the_same_bytes(made, tmp_path):
    tree.make(Studio("cpu"), Job(CLIPS[:1], SECONDS, 96, tmp_path))
    name = f"main/{CLIPS[0].key}.mp4"
    assert (tmp_path / name).read_bytes() == (made / name).read_bytes()


def test_speakers_differ_in_voice_and_a_voice_fits_who_speaks():
    voices = {seed: tree.voice(seed) for seed in range(100000, 100012)}
    assert len({(one.variant, one.pitch, one.rate) for one in voices.values()}) > 9
    for seed, one in voices.items():
        female = dict(tree.sitter(seed).phenotype)["gender"] > 0.5
        assert one.variant[0] == ("f" if female else "m")
