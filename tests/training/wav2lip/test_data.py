"""Windows of talks: what is drawn, how far apart, with which sound, and the same again after a stop."""

import numpy as np
import pytest
import torch

from inference.errors import UserError
from preprocessing import talkpacks
from training import endless
from training.wav2lip import data

UNCHANGED = data.Change(mirror=0, colour=0, shift=0, loudness=0)
WILD = data.Change(mirror=0.5, colour=0.3, shift=4, loudness=0.5)


@pytest.fixture(scope="module")
def talks(drawn_talks) -> talkpacks.Talks:
    return talkpacks.read(drawn_talks)


def groups(talks, change=UNCHANGED, apart=5, group=4) -> data.Groups:
    return data.Groups(talks, "train", group, lambda _: apart, -2.5, change, seed=3)


def samples(talks, compat=False, lead=-1) -> data.Samples:
    return data.Samples(talks, "train", lead, compat, UNCHANGED, seed=3)


def same(first, second) -> bool:
    return all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


def position_in(talks, frames) -> tuple[str, int]:
    """Find the clip and the frame of five frames."""
    for clip in talks.clips:
        every = talks.frames(clip)
        for first in range(len(every) - 4):
            if np.array_equal(every[first : first + 5], frames):
                return clip.id, first
    raise AssertionError("these frames stand in no clip")


def test_a_resumed_loader_is_where_an_uninterrupted_one_would_be(talks):
    whole = iter(endless.loader(groups(talks, WILD), 2, start=0))
    first, second = next(whole), next(whole)
    assert not same(first, second)
    assert same(next(iter(endless.loader(groups(talks, WILD), 2, start=2))), second)


def test_processes_share_a_batch(talks):
    whole = next(iter(endless.loader(groups(talks), 4, start=4)))
    shares = [next(iter(endless.loader(groups(talks), 4, start=4, rank=rank, world=2))) for rank in range(2)]
    for part in range(3):
        assert torch.equal(torch.stack([each[part] for each in shares], 1).flatten(0, 1), whole[part])


def test_the_windows_of_a_group_are_of_one_clip_far_enough_apart_each_with_its_own_sound(talks):
    for number in range(6):
        group = groups(talks)[number]
        places = [position_in(talks, frames.numpy()) for frames in group.frames]
        assert len({clip for clip, _ in places}) == 1
        firsts = sorted(first for _, first in places)
        assert min(np.diff(firsts)) >= 5
        clip = next(each for each in talks.clips if each.id == places[0][0])
        for (_, first), mel in zip(places, group.mels, strict=True):
            assert np.array_equal(mel[0], talks.mel(clip)[:, int(3.2 * first) : int(3.2 * first) + 16])


def test_wrong_sounds_come_nearer_while_the_expert_learns():
    apart = data.Apart(first=10, last=2, steps=100)
    assert [apart.at(step) for step in (0, 50, 100, 1000)] == [10, 6, 2, 2]


@pytest.mark.parametrize("apart", [1, 3, 5])
def test_every_window_can_be_drawn(apart):
    rng = np.random.default_rng(0)
    drawn = [data.spread(22, 4, apart, rng) for _ in range(600)]
    assert {first for each in drawn for first in each} == set(range(22))
    assert min(np.diff(sorted(each)).min() for each in drawn) == apart


def test_references_show_none_of_the_target_but_where_the_authors_would(talks):
    def apart(sample) -> int:
        (one, target), (other, reference) = (position_in(talks, each.numpy()) for each in sample[:2])
        assert one == other
        return abs(target - reference)

    assert min(apart(samples(talks)[number]) for number in range(25)) >= 5
    compat = [data.pair(20, True, np.random.default_rng(number)) for number in range(400)]
    assert {abs(first - reference) for first, reference in compat} >= set(range(1, 15))
    assert min(first for first, _ in compat) == 1  # its frame is heard from the one before on


@pytest.mark.parametrize("lead", [-1, 0])
def test_each_frame_of_a_target_is_heard_at_its_lead_and_all_of_them_from_the_first_on(talks, lead):
    sample = samples(talks, lead=lead)[5]
    name, first = position_in(talks, sample.target.numpy())
    clip = next(each for each in talks.clips if each.id == name)
    for frame in range(5):
        assert np.array_equal(sample.mels[frame, 0], talks.window(clip, first + frame + lead))
    assert np.array_equal(sample.mel[0], talks.window(clip, first))


def test_changes_are_alike_in_all_frames_and_leave_silence_silent():
    frames = np.random.default_rng(0).integers(0, 256, (1, 1, 96, 96, 3), np.uint8).repeat(5, 1)
    silence, sound = np.full((80, 16), -4, np.float32), np.zeros((80, 16), np.float32)
    seen = set()
    for seed in range(8):
        (first, second), (quiet, loud) = data.changed(
            WILD, np.random.default_rng(seed), [frames, frames[0]], [silence, sound]
        )
        assert all(np.array_equal(first[0, 0], each) for each in (*first[0], *second))
        assert (quiet == -4).all()
        assert np.ptp(loud) == 0
        seen.add(first.tobytes())
    assert len(seen) == 8


def test_a_mirror_turns_left_and_right():
    frames = np.random.default_rng(0).integers(0, 256, (5, 96, 96, 3), np.uint8)
    mirror = data.Change(mirror=1, colour=0, shift=0, loudness=0)
    (turned,), _ = data.changed(mirror, np.random.default_rng(0), [frames], [])
    assert np.array_equal(turned, frames[:, :, ::-1])


@pytest.mark.parametrize("kind", ["groups", "samples"])
def test_held_out_windows_are_the_same_each_time_and_of_the_split_asked_for(talks, kind):
    def make() -> data.HeldOut:
        if kind == "groups":
            return data.held_out_groups(talks, "val", 5, 4, 5, -2.5)
        return data.held_out_samples(talks, "val", 5, -1)

    first, again = ([make()[item] for item in range(5)] for _ in range(2))
    assert all(same(one, other) for one, other in zip(first, again, strict=True))
    frames = [each[0].reshape(-1, 5, 96, 96, 3)[0].numpy() for each in first]
    assert {position_in(talks, each)[0] for each in frames} == {clip.id for clip in talks.of("val")}
    assert len({each.tobytes() for each in frames}) == 5


def test_a_pack_of_which_nothing_can_be_drawn_gets_one_line(talks):
    with pytest.raises(UserError, match="none of the 8 clips of the pack can be trained on"):
        groups(talks, group=100)
