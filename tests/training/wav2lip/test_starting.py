"""Where a training begins and who judges it: bundles, runs, files, and what may then be done with the result."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from inference import bundle
from inference.errors import UserError
from inference.networks.wav2lip import Generator, SyncNet, Wav2LipConfig
from preprocessing import talkpacks
from training.sources import Source
from training.wav2lip import starting

LITTLE = Wav2LipConfig(0.03125)
OURS = {"name": "expert", "licences": {"weights": "Apache-2.0", "code": "Apache-2.0", "data": {}}, "commercial": True}


def network(kind, seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    return kind(LITTLE)


def write_bundle(folder: Path, task: str = "sync", **changes) -> dict[str, torch.Tensor]:
    kind, name = {"sync": (SyncNet, "syncnet"), "lipsync": (Generator, "wav2lip")}[task]
    state = network(kind, seed=4).state_dict()
    about = OURS | {
        "version": "1", "task": task, "network": {"kind": name, "width": LITTLE.width, "edge": 96}, "demo": True,
        "precision": "float16", "provenance": {}, "metrics": {}, "created": "", "mel": {"padding": "reflect"},
        "expert": {"sha256": None},
    }  # fmt: skip
    bundle.write(folder, about | changes, {bundle.MODEL: state}, {})
    return state


def test_an_expert_comes_from_a_bundle_a_run_and_a_file_alike(tmp_path):
    state = write_bundle(tmp_path / "bundle")
    (tmp_path / "run").mkdir()
    save_file(state, tmp_path / "run/expert.safetensors")
    (tmp_path / "run/run.json").write_text(json.dumps({"licence": "CC0-1.0", "commercial": True}))
    torch.save({"state_dict": state}, tmp_path / "expert.pth")
    terms = {"bundle": "Apache-2.0", "run": "CC0-1.0", "file": starting.RESEARCH}
    for name, kind in (("bundle", "bundle"), ("run", "run"), ("expert.pth", "file")):
        expert, source = starting.expert(str(tmp_path / name))
        assert (source.kind, source.licence, source.commercial) == (kind, terms[kind], kind != "file")
        assert expert.config == LITTLE
        assert not expert.training
        assert not any(parameter.requires_grad for parameter in expert.parameters())
        assert all(torch.allclose(value, state[key], atol=1e-3) for key, value in expert.state_dict().items())


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("lips", "bundle expert is for lipsync"),
        ("empty", "holds no expert.safetensors"),
        ("generator.pth", "expected a sync expert"),
        ("wide.pth", "expected a sync expert"),
        ("no-numbers.pth", "not finite"),
        ("damaged.safetensors", "damaged.safetensors cannot be read"),
        ("nothing", "nothing is not there"),
    ],
)
def test_what_is_no_expert_gets_one_line(tmp_path, monkeypatch, source, line):
    monkeypatch.chdir(tmp_path)
    write_bundle(tmp_path / "lips", "lipsync")
    (tmp_path / "empty").mkdir()
    torch.save(network(Generator).state_dict(), "generator.pth")
    torch.save({"features.weight": torch.zeros(4096, 1, 1, 1)}, "wide.pth")
    torch.save({name: value * torch.nan for name, value in network(SyncNet).state_dict().items()}, "no-numbers.pth")
    (tmp_path / "damaged.safetensors").write_bytes(b"\0" * 20)
    with pytest.raises(UserError, match=line) as told:
        starting.expert(source)
    assert "\n" not in str(told.value)


def test_a_bundle_of_ours_is_a_beginning_by_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    state = write_bundle(Path("data/starters/lips"), "lipsync")
    begun = network(Generator)
    source = starting.fill({"generator": begun}, "lips", None, "wav2lip")
    assert (source.name, source.licence) == ("expert", "Apache-2.0")
    assert all(torch.allclose(value, state[name], atol=1e-3) for name, value in begun.state_dict().items())


def test_nothing_is_taken_of_what_does_not_fit(tmp_path):
    torch.save(SyncNet(Wav2LipConfig(0.0625)).state_dict(), tmp_path / "wide.pth")
    begun = network(SyncNet)
    before = {name: value.clone() for name, value in begun.state_dict().items()}
    with pytest.raises(UserError, match="of another shape"):
        starting.fill({"expert": begun}, None, str(tmp_path / "wide.pth"), "syncnet")
    assert all(torch.equal(value, before[name]) for name, value in begun.state_dict().items())


def test_two_beginnings_are_one_too_many():
    with pytest.raises(UserError, match="two beginnings"):
        starting.fill({"expert": network(SyncNet)}, "a", "b", "syncnet")


def test_what_is_trained_is_no_freer_than_its_talks_its_start_and_its_expert(drawn_talks, tmp_path):
    talks = talkpacks.read(drawn_talks)
    ours = Source("starter", "lips", "0" * 64, "Apache-2.0", True)
    torch.save({"state_dict": network(Generator).state_dict()}, tmp_path / "wav2lip.pth")
    brought = starting.fill({"generator": network(Generator)}, None, str(tmp_path / "wav2lip.pth"), "wav2lip")
    assert starting.terms(talks, "demo", [None, ours]) == ("Apache-2.0", True)
    licence, commercial = starting.terms(talks, "demo", [ours, brought])
    assert not commercial
    assert "as the file wav2lip.pth allows: research and personal use only" in licence
    assert starting.terms(talks, "real", [ours])[1] is True


def test_a_generator_hears_as_its_expert_where_their_layers_are_the_same():
    expert, generator = network(SyncNet), network(Generator, seed=1)
    for parameter in expert.audio_encoder[11].conv_block[0].parameters():
        torch.nn.init.zeros_(parameter)  # the one block that only experts have passes on what it is given
    starting.hear_as(expert.eval(), generator.eval())
    mel = torch.randn(2, 1, 80, 16)
    assert torch.allclose(generator.audio_encoder(mel), expert.audio_encoder(mel), atol=1e-5)
    with pytest.raises(UserError, match=r"expert and generator are of width 0\.03125 and 0\.5"):
        starting.hear_as(expert, Generator(Wav2LipConfig(0.5)))
