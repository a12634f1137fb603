"""Each loss against what it is by hand."""

import math

import torch

from training.stylegan2 import loss


def test_losses_are_the_logarithms_of_the_paper():
    scores = torch.tensor([-2.0, 0.5, 3.0])
    right = -torch.log(torch.sigmoid(scores)).mean()
    torch.testing.assert_close(loss.generator_loss(scores), right)
    torch.testing.assert_close(loss.discriminator_loss_on_reals(scores), right)
    torch.testing.assert_close(loss.discriminator_loss_on_fakes(scores), -torch.log(1 - torch.sigmoid(scores)).mean())


def test_r1_of_a_quadratic_is_four_times_the_square_of_the_picture():
    reals = torch.randn(4, 3, 2, 2, requires_grad=True)
    penalty = loss.r1_penalty(reals, reals.square().sum(dim=(1, 2, 3)))
    torch.testing.assert_close(penalty, (4 * reals.square()).sum(dim=(1, 2, 3)).mean())
    penalty.backward()
    torch.testing.assert_close(reals.grad, 8 * reals.detach() / 4)


def test_path_lengths_of_a_linear_map_are_those_of_its_transpose():
    """One that every layer enters alike: its Jacobian is the matrix, whatever ws are."""
    matrix, ws, noise = torch.randn(3 * 4 * 2, 5), torch.randn(6, 7, 5, requires_grad=True), torch.randn(6, 3, 4, 2)
    pictures = (ws @ matrix.t()).sum(dim=1).reshape(6, 3, 4, 2)
    expected = (noise.flatten(1) @ matrix / math.sqrt(4 * 2)).norm(dim=1)
    torch.testing.assert_close(loss.path_lengths(pictures, ws, noise), expected)
