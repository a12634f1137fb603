import os

import numpy as np
import pytest
import torch

from inference.errors import UserError
from training.metrics import syncnet_v2


def waves(*shape: int) -> torch.Tensor:
    count = int(np.prod(shape))
    return torch.from_numpy(np.sin(np.arange(count) ** 1.5 * 0.37 + 1).reshape(shape).astype(np.float32))


def filled() -> syncnet_v2.SyncNetV2:
    """Weights that anybody can make again."""
    network = syncnet_v2.SyncNetV2().eval().requires_grad_(False)
    for key, value in network.state_dict().items():
        if "num_batches" in key:
            continue
        wave = waves(*value.shape)
        if "running_var" in key:
            wave = 1 + 0.5 * wave
        value.copy_(wave * (2 / value[0].numel()) ** 0.5 if value.ndim > 1 else wave)
    return network


@pytest.fixture(scope="module")
def network() -> syncnet_v2.SyncNetV2:
    return filled()


@pytest.fixture(scope="module")
def weights(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "syncnet_v2.model"
    torch.save({key: value for key, value in network.state_dict().items() if "num_batches" not in key}, path)
    return path


def test_it_has_as_many_parameters_as_the_published_one(network):
    assert sum(weight.numel() for weight in network.parameters()) == syncnet_v2.PARAMETERS
    assert len(network.state_dict()) == 102


def test_it_computes_what_the_published_network_computes(network):
    """Golden: syncnet_python's SyncNetModel.S with the same weights and inputs, run once."""
    shape = (1, 3, 5, 224, 224)
    pictures = 127.5 + 127.5 * np.sin(np.arange(np.prod(shape)) * 0.013)
    seen = network.see(torch.from_numpy(pictures.reshape(shape).astype(np.float32)))[0]
    heard = network.hear(waves(1, 1, 13, 20) * 10)[0]
    assert seen[[0, 511, 1023]].tolist() == pytest.approx([0.770538, -1.473079, 2.808719], abs=1e-3)
    assert heard[[0, 511, 1023]].tolist() == pytest.approx([8.066175, 0.822521, 0.672460], abs=1e-4)
    assert [float(seen.norm()), float(heard.norm())] == pytest.approx([144.8577, 30.07342], rel=1e-4)


def test_the_cepstra_are_those_of_python_speech_features():
    """Golden: its mfcc(samples, 16000) on a swell that rises in pitch, run once."""
    time = np.arange(16000) / 16000
    samples = 0.5 * np.sin(2 * np.pi * (200 + 1500 * time) * time) * np.sin(np.pi * time)
    found = syncnet_v2.mfcc(samples.astype(np.float32))
    expected = [
        [13.2671, 23.1472, 17.4391],
        [24.3369, 0.4338, -20.7342],
        [-9.4264, 2.5927, -7.1871],
        [-6.0736, 17.7728, 12.3202],
    ]
    assert found.shape == (13, 99)
    assert found[[0, 1, 5, 12]][:, [0, 49, 98]] == pytest.approx(np.array(expected), abs=1e-4)
    assert found.sum() == pytest.approx(-1318.12924)


@pytest.mark.parametrize(("samples", "columns"), [(10, 1), (400, 1), (401, 2), (560, 2), (561, 3)])
def test_the_last_column_is_filled_up_with_silence(samples, columns):
    assert syncnet_v2.mfcc(np.full(samples, 0.1, np.float32)).shape == (13, columns)


def test_weights_of_before_batches_were_counted_are_read(weights, network):
    read = syncnet_v2.read(weights)
    assert torch.equal(read.netfclip[3].weight, network.netfclip[3].weight)
    assert not read.training


def test_another_network_is_one_line(tmp_path, network):
    state = network.state_dict()
    state["netcnnaud.0.weight"] = torch.zeros(64, 3, 3, 3)
    del state["netfclip.0.bias"]
    torch.save(state, tmp_path / "other.model")
    with pytest.raises(UserError, match=r"2 of its tensors do not fit \(netcnnaud\.0\.weight, netfclip\.0\.bias\)"):
        syncnet_v2.read(tmp_path / "other.model")


class Calls:
    def __reduce__(self):
        return os.mkdir, ("ran",)


@pytest.mark.parametrize("content", [b"", b"no weights", None])
def test_what_holds_no_plain_weights_is_one_line_and_runs_nothing(tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "syncnet_v2.model"
    if content is None:
        torch.save({"netfclip.0.bias": Calls()}, path)
    else:
        path.write_bytes(content)
    with pytest.raises(UserError, match="holds no plain weights") as caught:
        syncnet_v2.read(path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()


def test_a_file_that_is_missing_is_named(tmp_path):
    with pytest.raises(UserError, match=r"none\.model is not there"):
        syncnet_v2.read(tmp_path / "none.model")


def test_frames_are_seen_in_fives_and_sound_heard_in_columns_of_twenty(network):
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (8, 40, 40, 3), dtype=np.uint8)
    samples = rng.normal(0, 0.1, 8 * 640).astype(np.float32)
    seen, heard = syncnet_v2.features(network, frames, samples)
    assert seen.shape == heard.shape == (3, 1024)
    moved, _ = syncnet_v2.features(network, frames[2:], samples[2 * 640 :])
    assert torch.allclose(moved[0], seen[2], atol=1e-3)
    cepstra = torch.from_numpy(syncnet_v2.mfcc(samples)).float()
    assert torch.allclose(heard[2], network.hear(cepstra[None, None, :, 8:28])[0], atol=1e-3)
    assert not torch.allclose(seen[0], seen[2], atol=1e-1)


def test_a_clip_of_five_frames_is_too_short(network):
    seen, heard = syncnet_v2.features(network, np.zeros((5, 9, 9, 3), np.uint8), np.zeros(5 * 640, np.float32))
    assert len(seen) == len(heard) == 0
