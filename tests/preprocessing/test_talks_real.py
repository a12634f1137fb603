"""Real talking heads: all videos survive, and the shipped expert hears them although it met rendered ones alone."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from inference import bundle, offsets
from preprocessing import talkpacks
from preprocessing.talkpacks import Talks
from preprocessing.talks import __main__ as talks
from scraping import stage

SURE = 0.12  # confidence from which the offset of a real clip is taken for found
STEP = 5  # frames: 16 columns of the mel


@pytest.fixture(scope="module")
def grid(assets, tmp_path_factory) -> Talks:
    """Eleven clips of three seconds, 25 frames a second, of the GRID corpus."""
    folder = tmp_path_factory.mktemp("real")
    words = ["corpus=talks", "world=real", "clips.layout=folder", f"clips.root={assets}/talking_heads/GRID_LipNet"]
    with pytest.MonkeyPatch.context() as patch, initialize_config_dir(str(stage.ROOT / "conf"), version_base="1.3"):
        patch.chdir(folder)
        talks.main(compose("preprocessing/talks", words))
    return talkpacks.read(folder / "data/interim/talks")


def test_every_real_clip_is_kept(grid):
    assert len(grid.clips) == 11
    assert all(clip.speech > 0.3 for clip in grid.clips)


def test_a_found_offset_moves_by_exactly_what_a_real_clip_is_shifted(grid):
    expert = bundle.load(Path(stage.ROOT) / "data/starters/syncnet").network()
    found = {}
    for clip in grid.clips:
        frames, mel = grid.frames(clip), grid.mel(clip)
        offset, confidence = offsets.read(offsets.sweep(expert, frames, mel))
        if confidence >= SURE:
            later, _ = offsets.read(offsets.sweep(expert, frames[STEP:], mel))
            earlier, _ = offsets.read(offsets.sweep(expert, frames, mel[:, 16:]))
            found[clip.id] = (offset, later - offset, earlier - offset)
    assert len(found) >= 5
    assert set(found.values()) <= {(offset, STEP, -STEP) for offset in (-1, 0, 1)}
