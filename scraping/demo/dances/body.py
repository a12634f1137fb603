"""From what a dancer means to do to joint rotations: the legs by inverse kinematics, so that planted feet stay."""

from dataclasses import dataclass

import numpy as np
import torch

from inference.motion import rotations
from inference.motion.skeleton import FOOT_HEIGHT, INDEX, JOINTS, OFFSETS
from scraping.demo.dances.curves import lowest, smoothed

LONGEST = 0.988  # share of its length that a leg stretches to: a locked knee snaps
SHORTEST = 0.42
TIPTOE = np.linspace(0, 0.75, 16)  # radians that a heel may rise where the leg would be too short
RESERVE = 0.35  # of those, how much the hips may count on
SOFT = 0.008  # metres over which two heights of the hips are blended
LEVEL = np.array([0.75, 0.9, 0.8])  # how much of what the spine does the neck takes back
SIDES = ("left", "right")


@dataclass(frozen=True)
class Intent:
    """What a dancer means to do in T frames; radians and metres, y up, facing +z, left towards +x."""

    facing: np.ndarray  # [T]: of the whole body about y
    hips: np.ndarray  # [T, 3]: where the pelvis should be; it comes lower where a leg would be too short
    tilt: np.ndarray  # [T, 3]: of the pelvis (pitch forward, turn left, roll to the right)
    low: np.ndarray  # [T, 3]: of the lower spine, in the same way
    high: np.ndarray  # [T, 3]: of the upper spine
    head: np.ndarray  # [T, 3]: against the body's facing
    arms: np.ndarray  # [T, 2, 6]: swing about y and z, bend, twist, wrist about y and z, each as of a left arm
    toes: np.ndarray  # [T, 2, 3]: the balls of the feet
    soles: np.ndarray  # [T, 2, 2]: yaw, and pitch (heel up)
    standing: np.ndarray  # bool [T, 2]


def posed(intent: Intent) -> tuple[np.ndarray, np.ndarray]:
    """Give local rotations as axis-angle [T, 24, 3] and the pelvis [T, 3]."""
    local = np.tile(np.eye(3), (len(intent.facing), len(JOINTS), 1, 1))
    pelvis = _about("y", intent.facing) @ matrix(intent.tilt)
    local[:, 0] = pelvis
    for name, share in (("spine1", 0.5), ("spine2", 0.5)):
        local[:, INDEX[name]] = matrix(share * intent.low)
    local[:, INDEX["spine3"]] = matrix(intent.high)
    carried = intent.tilt + intent.low + intent.high
    for name in ("neck", "head"):
        local[:, INDEX[name]] = matrix(0.5 * (intent.head - LEVEL * carried))
    for side, name in enumerate(SIDES):
        _arm(local, name, intent.arms[:, side])
    root = _legs(local, pelvis, intent)
    return axis_angle(local), root


def matrix(vector: np.ndarray) -> np.ndarray:
    return rotations.matrix_from_axis_angle(torch.from_numpy(np.ascontiguousarray(vector, np.float64))).numpy()


def axis_angle(matrices: np.ndarray) -> np.ndarray:
    return rotations.axis_angle_from_matrix(torch.from_numpy(np.ascontiguousarray(matrices))).numpy()


def _about(axis: str, angle: np.ndarray) -> np.ndarray:
    vector = np.zeros((*np.shape(angle), 3))
    vector[..., "xyz".index(axis)] = angle
    return matrix(vector)


# Arms


def arm(upper: tuple[float, float, float], fore: tuple[float, float, float]) -> tuple[float, float, float, float]:
    """Give swing about y and z, bend and twist of a left arm whose two halves point so, against the chest."""
    u, f = (np.array(v, float) / np.linalg.norm(v) for v in (upper, fore))
    angle = np.arccos(np.clip(u[0], -1, 1))
    axis = np.array([0.0, -u[2], u[1]])
    swing = axis * (angle / max(1e-9, float(np.linalg.norm(axis))))
    within = matrix(swing).T @ f
    bend = float(np.arccos(np.clip(within[0], -1, 1)))
    twist = float(np.arctan2(-within[1], within[2])) if bend > 0.12 else 0.0
    return float(swing[1]), float(swing[2]), bend, twist


def _arm(local: np.ndarray, side: str, angles: np.ndarray) -> None:
    """Turn collar, shoulder, elbow and wrist; a collar follows what its arm does."""
    swing_y, swing_z, bend, twist, wrist_y, wrist_z = angles.T
    none = np.zeros_like(bend)
    collar = matrix(np.stack((none, 0.16 * swing_y, 0.16 * swing_z), 1))
    whole = matrix(np.stack((none, swing_y, swing_z), 1)) @ _about("x", twist)
    parts = {
        "collar": collar,
        "shoulder": collar.transpose(0, 2, 1) @ whole,
        "elbow": _about("y", -bend),
        "wrist": matrix(np.stack((none, wrist_y, wrist_z), 1)),
    }
    mirror = np.diag([-1.0, 1.0, 1.0])
    for name, turned in parts.items():
        local[:, INDEX[f"{side}_{name}"]] = turned if side == "left" else mirror @ turned @ mirror


# Legs


def _legs(local: np.ndarray, pelvis: np.ndarray, intent: Intent) -> np.ndarray:
    """Turn hips, knees, ankles and toes; give the pelvis [T, 3] from which both legs reach."""
    hips = [pelvis @ OFFSETS[INDEX[f"{side}_hip"]] for side in SIDES]
    root = intent.hips.copy()
    caps = [_cap(side, hips[side], root, intent) for side in range(2)]
    cap = np.minimum(np.minimum(*caps), root[:, 1] + 0.1)
    cap = smoothed(lowest(cap, 9), 4.5)
    root[:, 1] = _below(root[:, 1], cap)
    for side, name in enumerate(SIDES):
        hip = root + hips[side]
        pitch = intent.soles[:, side, 1] + _tiptoe(side, hip, intent)
        foot = _sole(intent.soles[:, side, 0], pitch)
        ankle = intent.toes[:, side] - foot @ OFFSETS[INDEX[f"{name}_foot"]]
        thigh, shin = _leg(name, hip, ankle, _knee_yaw(side, intent))
        local[:, INDEX[f"{name}_hip"]] = pelvis.transpose(0, 2, 1) @ thigh
        local[:, INDEX[f"{name}_knee"]] = thigh.transpose(0, 2, 1) @ shin
        local[:, INDEX[f"{name}_ankle"]] = shin.transpose(0, 2, 1) @ foot
        near = np.exp(-np.maximum(intent.toes[:, side, 1] - FOOT_HEIGHT, 0) / 0.04)
        local[:, INDEX[f"{name}_foot"]] = _about("x", -0.85 * near * np.maximum(pitch, 0))
    return root


def _below(height: np.ndarray, cap: np.ndarray) -> np.ndarray:
    """Take the lower of two heights, rounded where they meet."""
    return cap - SOFT * np.logaddexp(0, (cap - height) / SOFT)


def _sole(yaw: np.ndarray, pitch: np.ndarray) -> np.ndarray:
    return _about("y", yaw) @ _about("x", pitch)


def _reach(name: str) -> float:
    bones = (OFFSETS[INDEX[f"{name}_{joint}"]] for joint in ("knee", "ankle"))
    return LONGEST * float(sum(np.linalg.norm(bone) for bone in bones))


def _cap(side: int, hip: np.ndarray, root: np.ndarray, intent: Intent) -> np.ndarray:
    """Give the height of the pelvis above which a standing leg is too short, its heel a little up."""
    name = SIDES[side]
    foot = _sole(intent.soles[:, side, 0], intent.soles[:, side, 1] + RESERVE)
    ankle = intent.toes[:, side] - foot @ OFFSETS[INDEX[f"{name}_foot"]]
    across = np.linalg.norm((ankle - root - hip)[:, [0, 2]], axis=1)
    upright = np.sqrt(np.maximum(_reach(name) ** 2 - across**2, 0.35**2))
    return np.where(intent.standing[:, side], ankle[:, 1] + upright - hip[:, 1], 9.0)


def _tiptoe(side: int, hip: np.ndarray, intent: Intent) -> np.ndarray:
    """Find the least rise of the heel [T] with which the leg reaches its foot."""
    name = SIDES[side]
    yaw, pitch = intent.soles[:, side].T
    feet = _sole(np.repeat(yaw[:, None], len(TIPTOE), 1), pitch[:, None] + TIPTOE)
    ankles = intent.toes[:, side, None] - feet @ OFFSETS[INDEX[f"{name}_foot"]]
    over = np.linalg.norm(ankles - hip[:, None], axis=2) - _reach(name)  # [T, K]
    enough = over <= 0
    first = np.where(enough.any(1), enough.argmax(1), len(TIPTOE) - 1)
    rows = np.arange(len(over))
    before = np.maximum(first - 1, 0)
    span = over[rows, before] - over[rows, first]
    share = np.where((first > 0) & (span > 1e-9), over[rows, before] / np.maximum(span, 1e-9), 1.0)
    return smoothed(TIPTOE[before] + np.clip(share, 0, 1) * (TIPTOE[first] - TIPTOE[before]), 2.0)


def _knee_yaw(side: int, intent: Intent) -> np.ndarray:
    outward = 0.1 if side == 0 else -0.1
    return 0.5 * (intent.soles[:, side, 0] + intent.facing) + outward


def _leg(name: str, hip: np.ndarray, ankle: np.ndarray, yaw: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Turn thigh and shin [T, 3, 3] so that the leg ends in the ankle and its knee looks along the yaw."""
    bones = [OFFSETS[INDEX[f"{name}_{joint}"]].astype(float) for joint in ("knee", "ankle")]
    upper, lower = (float(np.linalg.norm(bone)) for bone in bones)
    line = ankle - hip
    far = np.linalg.norm(line, axis=1, keepdims=True)
    along = line / far
    far = np.clip(far, SHORTEST * (upper + lower), LONGEST * (upper + lower))
    ahead = np.stack((np.sin(yaw), np.zeros_like(yaw), np.cos(yaw)), 1)
    front = _carried(ahead, along)
    cosine = np.clip((upper**2 + far**2 - lower**2) / (2 * upper * far), -1, 1)
    thigh = cosine * along + np.sqrt(1 - cosine**2) * front
    shin = (far * along - upper * thigh) / lower
    hinge = np.cross(along, front)
    return _aligned(bones[0], thigh, hinge), _aligned(bones[1], shin, hinge)


def _carried(ahead: np.ndarray, along: np.ndarray) -> np.ndarray:
    """Carry a direction along with a leg that swings from straight down to `along`, so that knees lead kicks."""
    down = np.array([0.0, -1.0, 0.0])
    axis = np.cross(down, along)
    cosine = -along[:, 1:2]
    turned = ahead * cosine + np.cross(axis, ahead) + axis * (axis * ahead).sum(1, keepdims=True) / (1 + cosine)
    return turned / np.linalg.norm(turned, axis=1, keepdims=True)


def _aligned(bone: np.ndarray, along: np.ndarray, hinge: np.ndarray) -> np.ndarray:
    """Turn a bone at rest to `along` [T, 3] with its knee's axis, -x at rest, to `hinge`."""
    rest = _frame(bone[None], np.array([[-1.0, 0.0, 0.0]]))
    return _frame(along, hinge) @ rest.transpose(0, 2, 1)


def _frame(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    x = first / np.linalg.norm(first, axis=1, keepdims=True)
    z = np.cross(x, second)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    return np.stack((x, np.cross(z, x), z), -1)
