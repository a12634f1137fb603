"""Rotations as matrices, 6-D vectors, quaternions (w, x, y, z), axis-angle vectors and Euler angles, for torch tensors.

Any number of leading dimensions. All are differentiable, also at the identity; angles are radians.
"""

import torch
from torch import Tensor
from torch.nn import functional

_TINY = 1e-12  # of a squared angle: below it sine and angle agree to the last bit


def matrix_from_6d(sixd: Tensor) -> Tensor:
    """Make the rotation whose first two columns lie nearest the vectors [..., 6] by Gram-Schmidt, [..., 3, 3].

    Zhou et al., On the Continuity of Rotation Representations in Neural Networks (CVPR 2019). Two parallel vectors
    name no rotation: there the result is singular, but finite.
    """
    first, second = sixd[..., :3], sixd[..., 3:]
    x = functional.normalize(first, dim=-1)
    y = functional.normalize(second - (x * second).sum(-1, keepdim=True) * x, dim=-1)
    return torch.stack((x, y, torch.linalg.cross(x, y)), -1)


def sixd_from_matrix(matrix: Tensor) -> Tensor:
    """Take the first two columns, the first before the second, [..., 6]."""
    return matrix[..., :2].transpose(-1, -2).flatten(-2)


def matrix_from_quaternion(quaternion: Tensor) -> Tensor:
    """Make the rotation [..., 3, 3] of a quaternion [..., 4] of any length but zero."""
    w, x, y, z = functional.normalize(quaternion, dim=-1).unbind(-1)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def quaternion_from_matrix(matrix: Tensor) -> Tensor:
    """Give the unit quaternion [..., 4] with w >= 0."""
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = (row.unbind(-1) for row in matrix.unbind(-2))
    # Four times the quaternion multiplied by each of its parts (Shepperd 1978): the longest row is the exactest, and
    # one of them is at least 2 long.
    rows = torch.stack(
        [
            torch.stack((1 + xx + yy + zz, zy - yz, xz - zx, yx - xy), -1),
            torch.stack((zy - yz, 1 + xx - yy - zz, xy + yx, xz + zx), -1),
            torch.stack((xz - zx, xy + yx, 1 - xx + yy - zz, yz + zy), -1),
            torch.stack((yx - xy, xz + zx, yz + zy, 1 - xx - yy + zz), -1),
        ],
        -2,
    )
    longest = rows.detach().square().sum(-1).argmax(-1)[..., None, None].expand(*rows.shape[:-2], 1, 4)
    chosen = functional.normalize(rows.gather(-2, longest)[..., 0, :], dim=-1)
    return torch.where(chosen[..., :1] < 0, -chosen, chosen)


def matrix_from_axis_angle(vector: Tensor) -> Tensor:
    """Make the rotation [..., 3, 3] by |vector| about a vector [..., 3]."""
    half = vector.square().sum(-1, keepdim=True).clamp(min=_TINY).sqrt() / 2
    scaled = vector * (half.sin() / (2 * half))
    return matrix_from_quaternion(torch.cat((half.cos(), scaled), -1))


def axis_angle_from_matrix(matrix: Tensor) -> Tensor:
    """Give axis times angle [..., 3], the angle in [0, pi]."""
    quaternion = quaternion_from_matrix(matrix)
    w, vector = quaternion[..., :1], quaternion[..., 1:]
    sine = vector.square().sum(-1, keepdim=True).clamp(min=_TINY).sqrt()
    return vector * (2 * torch.atan2(sine, w) / sine)


def least_turn(one: Tensor, other: Tensor) -> Tensor:
    """Make the rotation [..., 3, 3] that turns one direction [..., 3] into another by the shortest way.

    Of two that are opposite, a half turn about some axis across them.
    """
    one, other = functional.normalize(one, dim=-1), functional.normalize(other, dim=-1)
    axis = functional.one_hot(one.abs().argmin(-1), 3).to(one)
    across = 1e-7 * torch.linalg.cross(one, axis)  # counts where the two are opposite, and nowhere else
    half = (1 + (one * other).sum(-1, keepdim=True), torch.linalg.cross(one, other) + across)
    return matrix_from_quaternion(torch.cat(half, -1))


def slerp(one: Tensor, other: Tensor, share: Tensor) -> Tensor:
    """Turn from one unit quaternion [..., 4] to another by the shorter way; `share` [...] in [0, 1] is how far."""
    share = share[..., None]
    cosine = (one * other).sum(-1, keepdim=True)
    other, cosine = torch.where(cosine < 0, -other, other), cosine.abs().clamp(max=1)
    angle = torch.atan2((1 - cosine * cosine).clamp(min=_TINY).sqrt(), cosine)
    mixed = (torch.sin((1 - share) * angle) * one + torch.sin(share * angle) * other) / torch.sin(angle)
    return functional.normalize(mixed, dim=-1)


def euler_from_matrix(matrix: Tensor, order: str) -> Tensor:
    """Give the angles [..., 3] with matrix = R(order[0]) R(order[1]) R(order[2]), each axis of "XYZ" named once.

    The middle angle is in [-pi/2, pi/2]; at either end the other two are not told apart, and the last is 0.
    """
    i, j, k = ("XYZ".index(axis) for axis in order)
    sign = _handedness(i, j)
    middle = torch.atan2(sign * matrix[..., i, k], torch.hypot(matrix[..., j, k], matrix[..., k, k]))
    first = torch.atan2(-sign * matrix[..., j, k], matrix[..., k, k])
    last = torch.atan2(-sign * matrix[..., i, j], matrix[..., i, i])
    pole = matrix[..., i, k].abs() > 1 - 1e-6
    first = torch.where(pole, torch.atan2(sign * matrix[..., k, j], matrix[..., j, j]), first)
    return torch.stack((first, middle, torch.where(pole, 0, last)), -1)


def matrix_from_euler(angles: Tensor, order: str) -> Tensor:
    """Multiply the rotations about the axes of `order` by angles [..., 3], the first outermost."""
    basis = torch.eye(3, dtype=angles.dtype, device=angles.device)
    one, two, three = (
        matrix_from_axis_angle(angles[..., place, None] * basis["XYZ".index(axis)]) for place, axis in enumerate(order)
    )
    return one @ two @ three


def _handedness(i: int, j: int) -> int:
    return 1 if (j - i) % 3 == 1 else -1
