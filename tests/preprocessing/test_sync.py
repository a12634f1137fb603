from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir

from inference import bundle, offsets
from inference.errors import UserError
from inference.networks import wav2lip
from preprocessing import sync, talkpacks
from preprocessing.sync import Settings
from preprocessing.talkpacks import Clip, Content, Reject
from scraping import stage
from tests.experts import Reader

PROCESSED = Path("data/processed/talks")


def made(name: str, later: int, frames: int = 60, speech: float = 0.8) -> tuple[Clip, Content]:
    """Make a clip of random brightness whose mel has the same levels `later` frames later."""
    values = np.random.default_rng(frames).integers(0, 256, frames + 60).astype(np.uint8)
    columns = frames * 16 // 5 + 1
    heard = values[np.floor(np.arange(columns) / 3.2).astype(int) - later + 30] / 255
    content = Content(
        np.broadcast_to(values[30 : 30 + frames, None, None, None], (frames, 96, 96, 3)).copy(),
        np.broadcast_to(heard, (80, columns)).astype(np.float32),
        np.arange(frames * 4, dtype=np.float32).reshape(-1, 4),
    )
    about = {"speaker": name[0], "split": "train", "source": f"main/{name}.mp4", "sha256": "", "text": None}
    about |= {"licence": None, "consent": None, "commercial": False, "box": (0.0, 0.0, 1.0, 1.0), "speech": speech}
    return Clip(**about, id=name, start=2.0, frames=frames, columns=columns), content


def config(*overrides: str):
    with initialize_config_dir(str(stage.ROOT / "conf"), version_base="1.3"):
        return compose("preprocessing/sync", ["corpus=talks", "sync.device=cpu", "sync.confidence=0.1", *overrides])


def settings(*overrides: str) -> Settings:
    return stage.settings(config(*overrides), "sync", Settings)


def found(content: Content) -> int:
    return offsets.read(offsets.sweep(Reader(), content.frames, content.mel))[0]


@pytest.mark.parametrize("later", [-7, -5, -1, 0, 1, 4, 5, 7])
def test_a_shifted_clip_is_in_sync(later):
    clip, content = made("a/1", later)
    assert found(content) == later
    moved_clip, moved = sync.shift(Clip(**vars(clip) | {"av_offset": later}), content)
    assert found(moved) == 0
    assert len(moved.frames) == len(moved.boxes) == moved_clip.frames == 60 - abs(later)
    assert moved.mel.shape == (80, moved_clip.columns)
    assert moved_clip.columns == moved_clip.frames * 16 // 5 + 1
    assert moved_clip.shifted == later
    assert moved_clip.start == pytest.approx(2.0 + max(0, -later) / 25)


def test_what_is_left_out_is_told_why():
    clip, _ = made("a/1", 0)
    assert sync.judge(clip, 3, 0.4, settings()).av_offset == 3
    assert sync.judge(clip, 3, 0.01, settings()).reason == "unsure-of-sync"
    assert sync.judge(clip, -12, 0.4, settings()).reason == "far-out-of-sync"
    assert sync.judge(clip, 9, 0.4, settings("sync.frames=55")).reason == "too-short"


def test_a_silent_clip_has_no_offset_and_stays():
    clip, content = made("a/1", 0, speech=0.02)
    kept = sync.judge(clip, 9, 0.01, settings())
    assert kept.av_offset is None
    assert sync.shift(kept, content)[1].frames.shape == content.frames.shape


@pytest.fixture
def expert(tmp_path, monkeypatch) -> Path:
    """Export an expert of random weights."""
    monkeypatch.chdir(tmp_path)
    config = wav2lip.Wav2LipConfig(width=0.125)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = wav2lip.SyncNet(config).eval()
    manifest = {"name": "syncnet", "version": "1", "task": "sync", "precision": "float32"}
    manifest |= {"network": {"kind": "syncnet", "width": 0.125, "edge": 96}, "licences": {}, "commercial": False}
    manifest |= {"demo": True, "mel": {"padding": "reflect"}, "provenance": {}, "metrics": {}, "created": ""}
    bundle.write(tmp_path / "data/exported/syncnet", manifest, {bundle.MODEL: network.state_dict()})
    return tmp_path / "data/exported/syncnet"


def test_the_stage_sweeps_shifts_and_packs_and_goes_on_where_it_was(expert, monkeypatch, capsys):
    monkeypatch.setattr(bundle.Bundle, "network", lambda self: Reader())
    clips = [made("a/1", 3), made("a/2", -2, frames=50), made("b/1", 12, frames=70), made("b/2", 0, speech=0.0)]
    before = [Reject("main/c/1.mp4", "no-face", "nobody")]
    interim = Path("data/interim/talks")
    talkpacks.write(interim, [clip for clip, _ in clips], (content for _, content in clips), before, "f00d")
    sync.main(config())
    pack = talkpacks.read(PROCESSED)
    assert [(clip.id, clip.av_offset, clip.shifted) for clip in pack.clips] == [
        ("a/1", 3, 3),
        ("a/2", -2, -2),
        ("b/2", None, 0),
    ]
    assert [found(Content(pack.frames(clip), pack.mel(clip), pack.boxes(clip))) for clip in pack.clips[:2]] == [0, 0]
    assert [reject.reason for reject in talkpacks.rejects(PROCESSED)] == ["far-out-of-sync", "no-face"]
    assert "-2: 1, +3: 1" in capsys.readouterr().out
    monkeypatch.setattr(offsets, "sweep", None)  # whatever was swept is not swept again
    sync.main(config("sync.device=cpu"))
    assert talkpacks.read(PROCESSED).fingerprint == pack.fingerprint
    sync.main(config("sync.most=15"))
    assert len(talkpacks.read(PROCESSED).clips) == 4
    assert talkpacks.read(PROCESSED).fingerprint != pack.fingerprint


def test_a_real_network_is_read_from_its_bundle(expert):
    clip, content = made("a/1", 0, frames=24)
    talkpacks.write(Path("data/interim/talks"), [clip], [content], [], "f00d")
    sync.main(config("sync.confidence=0", "sync.span=4", "sync.most=4", "sync.frames=5"))
    (kept,) = talkpacks.read(PROCESSED).clips
    assert kept.confidence is not None
    assert abs(kept.av_offset) <= 4


def test_a_missing_expert_a_missing_pack_and_an_impossible_reach_are_a_line_each(expert):
    with pytest.raises(UserError, match=r"preprocessing\.talks"):
        sync.main(config())
    clip, content = made("a/1", 0, frames=24)
    talkpacks.write(Path("data/interim/talks"), [clip], [content], [], "f00d")
    with pytest.raises(UserError, match="nowhere"):
        sync.main(config("sync.expert=nowhere"))
    with pytest.raises(UserError, match=r"sync\.most"):
        sync.main(config("sync.most=16"))


def test_a_corpus_of_which_nothing_is_in_sync_is_a_line(expert, monkeypatch):
    monkeypatch.setattr(bundle.Bundle, "network", lambda self: Reader())
    clip, content = made("a/1", 12)
    talkpacks.write(Path("data/interim/talks"), [clip], [content], [], "f00d")
    with pytest.raises(UserError, match=r"rejects\.parquet"):
        sync.main(config())
