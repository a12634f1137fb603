"""What happens beside the steps: the average of the weights, ticks, and what a killed run had written too much."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from inference.errors import UserError
from training.stylegan2 import callbacks


def pair(pictures_seen: int, batch: int = 10) -> SimpleNamespace:
    ema, live = nn.BatchNorm1d(1), nn.BatchNorm1d(1)
    nn.init.zeros_(ema.weight)
    live.running_mean.fill_(5)
    settings = SimpleNamespace(batch=batch)
    return SimpleNamespace(ema=ema, generator=live, pictures_seen=pictures_seen, settings=settings)


@pytest.mark.parametrize(
    ("seen", "ramp", "half_life"), [(10**6, 0.05, 1000), (1000, 0.05, 50), (1000, None, 1000)], ids=str
)
def test_the_average_forgets_half_in_its_half_life_which_ramps_up(seen, ramp, half_life):
    model = pair(seen)
    callbacks.Average(kimg=1, ramp=ramp).on_train_batch_end(None, model)
    assert float(model.ema.weight.detach()) == pytest.approx(1 - 0.5 ** (10 / half_life), rel=1e-4)
    assert float(model.ema.running_mean) == 5  # buffers are copied


def test_no_half_life_keeps_no_average():
    model = pair(10)
    callbacks.Average(kimg=0, ramp=None).on_train_batch_end(None, model)
    assert torch.equal(model.ema.weight, model.generator.weight)


def test_rows_after_the_last_checkpoint_and_torn_ones_are_forgotten(tmp_path):
    ticks = callbacks.Ticks(tmp_path, 1, 10, (torch.zeros(0), torch.zeros(0)))
    (tmp_path / "history.csv").write_text("kimg,seconds\n1,5\n2,9\n3,12\n4,1")
    ticks.history.forget_after(2)
    assert (tmp_path / "history.csv").read_text() == "kimg,seconds\n1,5\n2,9\n"


@pytest.mark.parametrize("torn", ["", "kimg,sec"])
def test_a_history_without_a_whole_header_begins_anew(tmp_path, torn):
    (tmp_path / "history.csv").write_text(torn)
    ticks = callbacks.Ticks(tmp_path, 1, 10, None)
    ticks.history.forget_after(2)
    ticks.history.append({"kimg": 3.0})
    assert (tmp_path / "history.csv").read_text().splitlines() == [",".join(callbacks.HISTORY), "3" + "," * 14]


def test_overfitting_is_how_far_held_out_pictures_fall_towards_fakes():
    assert callbacks.overfitting(2.0, 2.0, -1.0) == {"r_v": 0}
    assert callbacks.overfitting(2.0, -1.0, -1.0) == {"r_v": 1}
    assert callbacks.overfitting(2.0, 0.5, -1.0) == {"r_v": 0.5}
    assert callbacks.overfitting(1.0, 0.5, 1.0) == {}


def test_p_at_its_limit_is_told_once(tmp_path, capsys):
    ticks = callbacks.Ticks(tmp_path, 1, 10, None)
    ada = SimpleNamespace(target=0.6, most=0.8)
    for p in (0.5, float(torch.tensor(0.8)), float(torch.tensor(0.8))):
        ticks._warn(p, ada)
    assert capsys.readouterr().out.count("p has reached train.ada.most=0.8") == 1
    callbacks.Ticks(tmp_path, 1, 10, None)._warn(0.8, SimpleNamespace(target=None, most=0.8))  # p was set to stay
    assert capsys.readouterr().out == ""


def test_held_out_pictures_are_scored_as_augmented_as_the_reals_beside_them(tmp_path):
    pictures, labels = torch.zeros(4, 3, 8, 8), torch.zeros(4)
    module = SimpleNamespace(
        steps=3,
        device=torch.device("cpu"),
        prepared=lambda batch: batch,
        augment=lambda pictures, generator: pictures + generator.initial_seed(),
        discriminator=lambda pictures, labels: pictures.mean(dim=(1, 2, 3)),
        generator=SimpleNamespace(config=SimpleNamespace(classes=0)),
    )
    assert callbacks.Ticks(tmp_path, 1, 10, None)._score_of_held_out(module, pictures, labels) == 3


def test_a_training_stops_where_it_is_told_to_and_at_once_where_it_was_already(tmp_path):
    stop, trainer = callbacks.StopAt(0.02, tmp_path), SimpleNamespace(should_stop=False)
    stop.on_train_batch_end(trainer, pair(16))
    assert not trainer.should_stop
    stop.on_train_start(trainer, pair(24))
    assert trainer.should_stop


def test_a_training_that_is_longer_than_asked_is_not_published_as_the_shorter_one(tmp_path):
    with pytest.raises(UserError, match=r"max_kimg: 0\.02, and this training stands at 0\.04 already.*delete"):
        callbacks.StopAt(0.02, tmp_path).on_train_start(SimpleNamespace(should_stop=False), pair(40))
