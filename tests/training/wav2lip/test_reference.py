"""A user's published weights come in whole, or a line says why not; nothing in their file is executed."""

import io
import os
import pickle
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from inference.errors import UserError
from inference.networks.wav2lip import Generator, SyncNet, Wav2LipConfig
from training.wav2lip import reference
from training.wav2lip.discriminator import Discriminator

LITE = Wav2LipConfig(width=0.125)


class Runs:
    """What a hostile file does when it is unpickled: it writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.path),)


def published(network: nn.Module, **more: object) -> dict:
    """What a training on several GPUs saves."""
    state = {f"module.{name}": tensor for name, tensor in network.state_dict().items()}
    return {"state_dict": state, "optimizer": None, "global_step": 5, "global_epoch": 1, **more}


def refusal(path: Path, network: nn.Module | None = None) -> str:
    with pytest.raises(UserError) as error:
        reference.load(network or Generator(LITE), path)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("kind", [Generator, SyncNet, Discriminator])
@pytest.mark.parametrize("archive", [True, False])
def test_a_published_checkpoint_comes_in_whole(tmp_path, kind, archive):
    theirs, ours = kind(LITE), kind(LITE)
    moments = {"step": torch.tensor(5.0), "exp_avg": torch.ones(3), "exp_avg_sq": torch.ones(3)}
    optimizer = {"state": {0: moments}, "param_groups": [{"lr": 1e-4, "betas": (0.5, 0.999), "params": [0]}]}
    path = tmp_path / "theirs.pth"
    torch.save(published(theirs, optimizer=optimizer), path, _use_new_zipfile_serialization=archive)
    reference.load(ours, path)
    assert all(torch.equal(tensor, theirs.state_dict()[name]) for name, tensor in ours.state_dict().items())


def test_safetensors_and_a_bare_state_dict_come_in_too(tmp_path):
    theirs = Generator(LITE)
    save_file(theirs.state_dict(), tmp_path / "theirs.safetensors")
    torch.save(theirs.state_dict(), tmp_path / "theirs.pth")
    for path in tmp_path.iterdir():
        reference.load(ours := Generator(LITE), path)
        assert all(torch.equal(tensor, theirs.state_dict()[name]) for name, tensor in ours.state_dict().items())


def test_a_pickle_with_foreign_globals_is_refused_and_not_run(tmp_path):
    torch.save(published(Generator(LITE), extra=Runs(tmp_path / "ran")), tmp_path / "archive.pth")
    for protocol in (2, 4):
        (tmp_path / f"{protocol}.pth").write_bytes(pickle.dumps({"state_dict": Runs(tmp_path / "ran")}, protocol))
    for name in ("archive.pth", "2.pth", "4.pth"):
        assert "asks for more than tensors, which could run code" in refusal(tmp_path / name)
    assert not (tmp_path / "ran").exists()


def test_the_checkpoint_of_another_network_is_named(tmp_path):
    torch.save(published(SyncNet(LITE)), tmp_path / "lipsync_expert.pth")
    said = refusal(tmp_path / "lipsync_expert.pth")
    assert "holds a sync expert of 266,688 parameters in 217 entries, expected a generator" in said
    assert "126 unexpected (face_encoder.0.conv_block.0.weight, ..)" in said


def test_another_width_is_told_by_its_shapes(tmp_path):
    torch.save(published(Discriminator(Wav2LipConfig(width=0.25))), tmp_path / "wide.pth")
    said = refusal(tmp_path / "wide.pth", Discriminator(LITE))
    assert "of another shape (face_encoder_blocks.1.0.conv_block.0.weight (16, 8, 5, 5) instead of (8, 8, 5, 5)" in said


def test_a_missing_entry_is_named_and_no_weight_is_changed(tmp_path):
    state, ours = Generator(LITE).state_dict(), Generator(LITE)
    before = {name: tensor.clone() for name, tensor in ours.state_dict().items()}
    del state["output_block.1.bias"]
    torch.save(state, tmp_path / "less.pth")
    assert refusal(tmp_path / "less.pth", ours).endswith("1 missing (output_block.1.bias)")
    assert all(torch.equal(tensor, before[name]) for name, tensor in ours.state_dict().items())


def test_values_that_are_not_finite_are_refused(tmp_path):
    state = Generator(LITE).state_dict()
    state["output_block.1.bias"][0] = float("nan")
    torch.save(state, tmp_path / "nan.pth")
    assert "output_block.1.bias holds values that are not finite" in refusal(tmp_path / "nan.pth")


@pytest.mark.parametrize("archive", [True, False])
def test_a_truncated_file_is_refused(tmp_path, archive):
    whole = io.BytesIO()
    torch.save(published(Generator(LITE)), whole, _use_new_zipfile_serialization=archive)
    (tmp_path / "half.pth").write_bytes(whole.getvalue()[: whole.tell() // 2])
    assert "take a copy that is whole" in refusal(tmp_path / "half.pth")


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("x.pth", b"", "cannot be read"),
        ("x.pth", b"<!DOCTYPE html><html>quota exceeded</html>", "is no checkpoint: expected a checkpoint of Wav2Lip"),
        ("x.safetensors", b"\xff" * 99, "cannot be read"),
    ],
)
def test_what_is_no_checkpoint_is_refused(tmp_path, name, data, expected):
    (tmp_path / name).write_bytes(data)
    assert expected in refusal(tmp_path / name)


@pytest.mark.parametrize("content", [[1, 2], {}, {"state_dict": {"a": 3}}, {"state_dict": {1: torch.ones(1)}}])
def test_a_checkpoint_without_a_state_dict_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "x.pth")
    assert "holds no state dict" in refusal(tmp_path / "x.pth")


def test_a_missing_file_is_named(tmp_path):
    assert f"{tmp_path / 'none.pth'} is not there" in refusal(tmp_path / "none.pth")


def test_neither_a_large_file_nor_one_that_unpacks_to_much_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(reference, "MOST_BYTES", 100_000)
    with zipfile.ZipFile(tmp_path / "bomb.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/data.pkl", bytes(200_000))
    (tmp_path / "large.pth").write_bytes(bytes(100_001))
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("it was read"))
    assert "unpacks to more than" in refusal(tmp_path / "bomb.pth")
    assert "is of 0.0 GB" in refusal(tmp_path / "large.pth")
