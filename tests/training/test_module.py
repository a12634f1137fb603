"""The algorithm: what each optimiser sees, what a step draws, what is frozen."""

import copy
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hydra import compose, initialize_config_dir

from inference.errors import UserError
from inference.networks.stylegan2 import GeneratorConfig
from scraping import stage
from training.stylegan2 import module
from training.stylegan2.fitting import Settings
from training.stylegan2.module import Stylegan2

CONF = Path(__file__).resolve().parents[2] / "conf"
PICTURES = GeneratorConfig(16, 16, channel_base=64, channel_max=8, z_dim=8, w_dim=8)


def settings(*overrides: str) -> Settings:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose(
            "training/train", overrides=["corpus=portrait", "profile=tiny", "train.start=null", *overrides]
        )
    return stage.settings(config, "train", Settings)


class Alone(Stylegan2):
    """The module without Lightning around it: one process, plain optimisers."""

    trainer = SimpleNamespace(world_size=1)
    global_rank = 0

    def __init__(self, *overrides: str) -> None:
        super().__init__(settings(*overrides), PICTURES, seed=0)
        self.adams = self.configure_optimizers()

    def optimizers(self) -> list[torch.optim.Optimizer]:
        return self.adams

    def manual_backward(self, value: torch.Tensor) -> None:
        value.backward()

    def all_gather(self, value: torch.Tensor) -> torch.Tensor:
        return value

    def step(self, number: int) -> None:
        pictures = torch.randint(0, 256, (8, 3, 16, 16), generator=torch.Generator().manual_seed(number))
        self.training_step((pictures.to(torch.uint8), torch.zeros(8, dtype=torch.long)), number)


def weights(network: torch.nn.Module) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in network.parameters()]


def test_adam_is_corrected_for_the_steps_that_regularisation_adds():
    generator, discriminator = (each.param_groups[0] for each in Alone().adams)
    assert generator["lr"] == pytest.approx(0.0025 * 4 / 5)
    assert generator["betas"] == (0.0, pytest.approx(0.99 ** (4 / 5)))
    assert discriminator["lr"] == pytest.approx(0.0025 * 16 / 17)
    assert discriminator["betas"] == (0.0, pytest.approx(0.99 ** (16 / 17)))


def test_without_regularisation_adam_is_as_set():
    for each in Alone("train.gamma=0", "train.path_length.weight=0").adams:
        assert (each.param_groups[0]["lr"], each.param_groups[0]["betas"]) == (0.0025, (0.0, 0.99))


def test_a_step_goes_in_the_order_of_the_reference(monkeypatch):
    done = []
    for name in ("train_generator", "regularise_path_length", "train_discriminator", "regularise_slope"):
        monkeypatch.setattr(Alone, name, lambda self, *rest, name=name: done.append(name) or torch.zeros(8))
    model = Alone("train.path_length.interval=2", "train.r1_interval=4")
    for number in range(4):
        model.step(number)
    both = ["train_generator", "train_discriminator"]
    lazy = ["train_generator", "regularise_path_length", "train_discriminator"]
    assert done == [*lazy, "regularise_slope", *both, *lazy, *both]


def test_path_lengths_are_taken_of_a_part_of_the_batch(monkeypatch):
    model = Alone("train.path_length.shrink=4")
    seen = []
    monkeypatch.setattr(model, "regularise_path_length", lambda labels: seen.append(len(labels)))
    model.step(0)
    assert seen == [8 // 4]


def test_the_slope_is_that_at_augmented_pictures():
    model = Alone("train.ada.start=0.8")
    reals, labels = torch.randn(8, 3, 16, 16), torch.zeros(8, dtype=torch.long)
    kept = copy.deepcopy(model.discriminator.state_dict())
    for seed in (0, 1):
        model.discriminator.load_state_dict(kept)
        model.draws.manual_seed(seed)
        model.regularise_slope(reals, labels)
    assert model.seen["r1"][0] != model.seen["r1"][1]


def test_each_part_trains_one_network_alone():
    model = Alone()
    model.draws.manual_seed(0)
    labels, reals = torch.zeros(8, dtype=torch.long), torch.randn(8, 3, 16, 16)
    parts = [
        (lambda: model.train_generator(labels), "generator"),
        (lambda: model.regularise_path_length(labels), "generator"),
        (lambda: model.train_discriminator(reals, labels), "discriminator"),
        (lambda: model.regularise_slope(reals, labels), "discriminator"),
    ]
    for part, trained in parts:
        before = {name: weights(getattr(model, name)) for name in ("generator", "discriminator")}
        part()
        for name, kept in before.items():
            still = all(map(torch.equal, kept, weights(getattr(model, name))))
            assert still == (name != trained), (name, trained)


@pytest.mark.parametrize("part", ["regularise_slope", "regularise_path_length"])
def test_a_regulariser_counts_for_all_the_steps_it_is_left_out_of(part, monkeypatch):
    """Its gradient is `interval` times as large, and R1's weight is half of gamma."""
    gradients = []
    for interval in (1, 8):
        model = Alone(f"train.r1_interval={interval}", f"train.path_length.interval={interval}", "train.ada.start=0")
        monkeypatch.setattr(model, "descend", lambda which, value: gradients.append(value.item()))
        model.draws.manual_seed(0)
        reals, labels = torch.ones(8, 3, 16, 16), torch.zeros(8, dtype=torch.long)
        model.regularise_slope(reals, labels) if part == "regularise_slope" else model.regularise_path_length(labels)
        if part == "regularise_slope":
            assert gradients[-1] == pytest.approx(float(model.seen["r1"][0]) * model.settings.gamma / 2 * interval)
    assert gradients[1] == pytest.approx(8 * gradients[0])


def test_the_mean_path_length_begins_with_the_first_and_moves_a_hundredth_of_the_way():
    model = Alone()
    model.draws.manual_seed(0)
    means = []
    for model.steps in (0, 4):
        model.regularise_path_length(torch.zeros(4, dtype=torch.long))
        means.append(float(model.path_length_mean))
    first, second = map(float, model.seen["path_length"])
    assert means == [pytest.approx(first), pytest.approx(0.99 * first + 0.01 * second)]
    assert first != second


def test_style_mixing_changes_layers_from_one_on_and_keeps_the_first():
    model = Alone("train.style_mixing=1")
    labels = torch.zeros(4, dtype=torch.long)
    ws = model.generator.broadcast(torch.full((4, 8), 9.0))
    first = []
    for seed in range(40):
        model.draws.manual_seed(seed)
        kept = (model.mixed(ws, labels) == 9).all(dim=2).all(dim=0)
        first.append(int(kept.sum()))
        assert kept[: first[-1]].all()
    assert set(first) == set(range(1, PICTURES.num_ws))


def test_the_average_w_follows_every_mapping_but_that_of_mixing(monkeypatch):
    model = Alone("train.style_mixing=1")
    model.draws.manual_seed(0)
    seen = []
    mapped = model.mapped
    monkeypatch.setattr(model, "mapped", lambda labels: seen.append(mapped(labels)) or seen[-1])
    model.fakes(torch.zeros(4, dtype=torch.long))
    assert len(seen) == 2
    torch.testing.assert_close(model.generator.mapping.w_avg, seen[0].mean(dim=0) * 0.005)


def test_what_a_step_draws_depends_on_seed_step_and_process_alone():
    model = Alone()
    first = model.seed_of_step()
    assert model.seed_of_step() == first
    found = {first}
    for name, value in (("steps", 1), ("seed", 1), ("global_rank", 1)):
        other = Alone()
        setattr(other, name, value)
        found.add(other.seed_of_step())
    assert len(found) == 4


def test_two_trainings_of_a_seed_are_the_same_to_the_bit():
    models = [Alone("train.ada.start=0.5"), Alone("train.ada.start=0.5")]
    for model in models:
        torch.manual_seed(id(model) % 1000)  # the global generator has no say
        for number in range(3):
            model.step(number)
    first, second = (model.state_dict() for model in models)
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())


def test_frozen_layers_are_the_first_from_the_picture_on_and_stay():
    model = Alone("train.discriminator.freeze=5")
    kept = {name for name, each in model.discriminator.named_parameters() if not each.requires_grad}
    layers = {name.rpartition(".")[0] for name in kept}
    assert layers == {"b16.fromrgb", "b16.conv0", "b16.conv1", "b16.skip", "b8.conv0"}
    before = dict(model.discriminator.named_parameters())
    before = {name: before[name].detach().clone() for name in kept}
    model.step(0)
    after = dict(model.discriminator.named_parameters())
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    assert "b16.fromrgb.weight" in model.discriminator.state_dict()


def test_p_rises_while_the_discriminator_is_surer_of_reals_than_wanted():
    model = Alone("train.ada.start=0.2", "train.ada.target=-1", "train.ada.kimg=1", "train.ada.interval=2")
    for number in range(2):
        model.step(number)
    assert float(model.augment.p) == pytest.approx(0.2 + 2 * 8 / 1000)


def test_a_loss_that_is_no_number_stops_the_training():
    model = Alone()
    model.watch(loss_g=torch.tensor(1.0))
    model.stop_if_diverged()
    model.watch(loss_g=torch.tensor(float("nan")))
    with pytest.raises(UserError, match="diverged before 0 kimg"):
        model.stop_if_diverged()


def test_adams_moments_are_made_for_what_is_trained():
    model = Alone()
    owned = {id(each) for optimizer in model.adams for each in module.parameters(optimizer)}
    assert owned == {id(each) for each in (*model.generator.parameters(), *model.discriminator.parameters())}
