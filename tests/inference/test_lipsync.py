import gc
import itertools
import threading
import time
import weakref
from fractions import Fraction

import numpy as np
import pytest
import torch

from inference import audio, footage, lipsync, mouths, video, voice
from inference.networks.wav2lip import Generator, Wav2LipConfig
from inference.prepared import Prepared

BOX = (20.0, 10.0, 60.0, 60.0)


def spoken(path) -> voice.Voice:
    return voice.Voice(path, len(audio.decode(path)), np.zeros(0, np.float32), None)


def prepared(count: int, missing: range = range(0)) -> Prepared:
    owner = np.array([-1 if number in missing else 0 for number in range(count)], np.int32)
    rest = np.full((1, 96, 96, 3), 200, np.uint8)
    return Prepared(np.full((count, 4), BOX, np.float32), owner, rest, np.zeros(1, np.int32), 1)


def black(mel: np.ndarray, target: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """A generator that draws black holes."""
    drawn = target.copy()
    drawn[:, 60:84, 36:60] = 0
    return drawn


def shades(count: int, width: int = 80) -> list[np.ndarray]:
    return [np.full((72, width, 3), 60 + 2 * number, np.uint8) for number in range(count)]


def take(film, tone, count: int, seconds: float, fps=25, draw=black, **more) -> lipsync.Take:
    seen = footage.load(film("x.mp4", shades(count), fps))
    faces = more.pop("faces", prepared(count))
    return lipsync.Take(seen, faces, spoken(tone("x.wav", seconds)), draw, **more)


@pytest.mark.parametrize("fps", [24, 25, Fraction(30000, 1001), 30, 50])
@pytest.mark.parametrize("seconds", [Fraction(31, 100), Fraction(127, 100)])
def test_there_are_frames_for_as_long_as_the_sound_lasts(film, tone, fps, seconds):
    made = take(film, tone, 20, float(seconds), fps)
    assert abs(Fraction(len(list(made.pictures()))) / fps - seconds) <= Fraction(1, 2) / fps


def test_mouths_are_drawn_in_the_frames_they_belong_to(film, tone):
    made = take(film, tone, 40, 1.6)
    shown = [picture[3, 3, 0] for picture in made.pictures()]
    assert shown == [picture[3, 3, 0] for picture in made.footage.read()]
    assert all(picture[47, 40].max() < 20 for picture in made.pictures())


def test_frames_without_a_face_pass_unchanged_and_are_counted(film, tone):
    made = take(film, tone, 30, 1.2, faces=prepared(30, range(4, 9)))
    pictures = list(made.pictures())
    assert lipsync.ranges(made.missed) == [(4, 8)]
    assert pictures[5][47, 40].min() > 40
    assert pictures[9][47, 40].max() < 20


def test_the_generator_is_shown_the_face_at_rest_or_the_frame_itself(film, tone):
    references = []

    def look(mel, target, reference):
        references.append(reference[0, 0, 0, 0])
        return target

    list(take(film, tone, 5, 0.2, draw=look).pictures())
    list(take(film, tone, 5, 0.2, draw=look, reference="same").pictures())
    assert references[0] == 200
    assert references[1] < 80


def test_of_a_face_at_rest_that_picture_is_shown_whose_head_is_held_most_alike(film, tone):
    """The film grows brighter; a reference stays until another is clearly more like the frame."""
    levels = []

    def look(mel, target, reference):
        levels.extend(reference[:, 0, 0, 0].tolist())
        return target

    few = prepared(40)
    rest = np.stack([np.full((96, 96, 3), level, np.uint8) for level in (250, 40, 120, 0)])
    several = Prepared(few.boxes, few.owner, rest, np.array([0, 0, 0, 1], np.int32), 1)
    made = take(film, tone, 40, 1.6, draw=look, faces=several)
    shown = [int(picture[47, 40, 0]) for picture in made.footage.read()]
    list(made.pictures())
    nearest = [min((250, 40, 120), key=lambda level: abs(level - shade)) for shade in shown]
    assert set(levels) == set(nearest) == {40, 120}
    assert (np.diff(levels[:40]) != 0).sum() == 1


def test_each_frame_is_drawn_to_its_own_sound(film, tone):
    heard = []

    def listen(mel, target, reference):
        heard.extend(mel)
        return target

    made = take(film, tone, 40, 1.6, draw=listen, hearing=lipsync.Hearing("reflect", -1))
    list(made.pictures())
    mel = audio.mel(audio.decode(made.voice.path))
    assert np.array_equal(heard[:40], [audio.window(mel, frame - 1) for frame in range(40)])


def test_compat_leaves_the_lead_out():
    manifest = {"mel": {"padding": "constant", "lead": -1}}
    assert lipsync.Hearing.of(manifest) == lipsync.Hearing("constant", -1)
    assert lipsync.Hearing.of(manifest, compat=True) == lipsync.Hearing("constant", 0)


def test_however_long_the_video_few_frames_are_held_at_a_time(film, tone, monkeypatch):
    alive, most, read = weakref.WeakValueDictionary(), [0], video.frames

    def counted(*words, **more):
        for number, picture in enumerate(read(*words, **more)):
            copy = picture.copy()
            alive[number] = copy
            most[0] = max(most[0], len(alive))
            yield copy

    monkeypatch.setattr(video, "frames", counted)
    monkeypatch.setattr(lipsync, "BATCH", 4)
    made = take(film, tone, 90, 3.6)
    gc.disable()
    for picture in made.pictures():
        time.sleep(0.001)  # slower than what is read ahead
        del picture
    gc.enable()
    assert most[0] <= lipsync.STAGES * made.batch + 2


def test_of_large_frames_fewer_are_held():
    huge = footage.Footage(None, 3840, 2160, Fraction(25))
    small = footage.Footage(None, 320, 240, Fraction(25))
    batches = [lipsync.Take(seen, prepared(1), None, black).batch for seen in (huge, small)]
    assert batches[0] * lipsync.STAGES * huge.frame_bytes <= lipsync.ALIVE_BYTES
    assert batches == [2, lipsync.BATCH]


def test_frames_do_not_depend_on_how_many_were_asked_for(film, tone):
    made = take(film, tone, 40, 1.6)
    whole = list(made.pictures())
    assert np.array_equal(list(made.pictures(17, 1)), whole[17:18])


def test_an_error_in_a_thread_is_raised_where_its_item_would_have_come():
    def failing():
        yield 1
        raise KeyError("of the thread")

    items = lipsync.ahead(failing(), 3)
    assert next(items) == 1
    with pytest.raises(KeyError, match="of the thread"):
        next(items)


def test_what_nobody_takes_any_more_is_ended():
    before, ended = threading.active_count(), []

    def endless():
        try:
            yield from itertools.count()
        finally:
            ended.append(True)

    items = lipsync.ahead(endless(), 2)
    assert [next(items) for _ in range(3)] == [0, 1, 2]
    items.close()
    assert ended == [True]
    assert threading.active_count() == before


@pytest.fixture(scope="module")
def generator() -> Generator:
    torch.manual_seed(5)
    made = Generator(Wav2LipConfig(width=0.1)).eval().requires_grad_(False)
    for name, value in made.named_buffers():
        if name.endswith("running_var"):
            value.uniform_(0.5, 2)
    return made


def inputs() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    mel = rng.uniform(-4, 4, (4, 80, 16)).astype(np.float32)
    return mel, *rng.integers(0, 256, (2, 4, 96, 96, 3), dtype=np.uint8)


class Mixture(torch.nn.Module):
    """The target's part, the reference's and the loudness, in the shape of a generator."""

    def forward(self, mel: torch.Tensor, face: torch.Tensor) -> torch.Tensor:
        return face[:, :3] * 0.25 + face[:, 3:] * 0.5 + mel.mean(dim=(1, 2, 3), keepdim=True) * 0.1


def test_both_back_ends_are_shown_the_same_and_give_the_same_to_one_level():
    def graph(mel: np.ndarray, face: np.ndarray) -> list[np.ndarray]:
        return [face[:, :3] * 0.25 + face[:, 3:] * 0.5 + mel.mean(axis=(1, 2, 3), keepdims=True) * 0.1]

    drawn = mouths.torch_drawer(Mixture(), device="cpu")(*inputs())
    other = mouths.onnx_drawer(graph)(*inputs())
    assert drawn.std() > 2
    assert np.abs(drawn.astype(int) - other).max() <= 1


def test_fast_is_near_exact(generator):
    exact, fast = (mouths.torch_drawer(generator, precision, "cpu")(*inputs()) for precision in mouths.PRECISIONS)
    assert 0 < np.abs(exact.astype(int) - fast).mean() < 2
