"""What is minimised, where its numbers are hardest."""

import math

import pytest
import torch

from training.wav2lip import loss


def test_a_cosine_slightly_above_one_has_a_finite_loss_and_gradient():
    for label in (0.0, 1.0):
        cosines = torch.tensor([1.0000002, 0.0, -1e-7], requires_grad=True)
        value = loss.sync_loss(cosines, label)
        value.sum().backward()
        assert value.isfinite().all()
        assert cosines.grad.isfinite().all()
    assert float(loss.sync_loss(torch.tensor(1.0000002), 1.0)) == pytest.approx(0, abs=1e-5)


def test_the_loss_is_cross_entropy_in_single_precision_within_autocast():
    sound = torch.nn.functional.normalize(torch.rand(6, 32), dim=1)
    face = torch.nn.functional.normalize(torch.rand(6, 32), dim=1)
    labels = torch.tensor([0.0, 1.0] * 3)
    with torch.autocast("cpu", torch.bfloat16):
        cosines = loss.cosine(sound, face)
        value = loss.sync_loss(cosines, labels)
    assert cosines.dtype == value.dtype == torch.float32
    wanted = torch.nn.functional.binary_cross_entropy((sound * face).sum(1), labels, reduction="none")
    assert torch.allclose(value, wanted, atol=1e-6)


def test_perhaps_to_everything_is_the_plateau():
    audible = torch.ones(2, 4, dtype=torch.bool)
    perhaps = torch.full((2, 4, 4), 0.5)
    assert float(loss.expert_loss(perhaps, audible)) == pytest.approx(math.log(2))
    assert float(loss.accuracy(perhaps, audible)) == 0.5


def test_right_and_wrong_weigh_the_same_however_many_they_are():
    audible = torch.ones(1, 8, dtype=torch.bool)
    trusting = torch.full((1, 8, 8), 0.9)
    wanted = -(math.log(0.9) + math.log(0.1)) / 2
    assert float(loss.expert_loss(trusting, audible)) == pytest.approx(wanted, rel=1e-4)


def test_two_silent_windows_are_not_told_apart():
    audible = torch.tensor([[True, False, False]])
    _, wrong = loss.pairs(audible)
    assert wrong[0].tolist() == [[False, True, True], [True, False, False], [True, False, False]]
    cosines = torch.rand(1, 3, 3, requires_grad=True)
    loss.expert_loss(cosines, audible).backward()
    assert cosines.grad[0, 1, 2] == cosines.grad[0, 2, 1] == 0
    silent = torch.zeros(1, 3, dtype=torch.bool)
    assert loss.expert_loss(cosines, silent).isfinite()


def test_a_discriminator_that_is_sure_is_finite():
    sure = torch.tensor([200.0, -200.0], requires_grad=True)
    value = loss.realness_loss(sure, real=1.0) + loss.realness_loss(sure, real=0.0)
    value.backward()
    assert float(value.detach()) == pytest.approx(200)
    assert sure.grad.isfinite().all()
