"""Natural standing poses: arms by the goal of the wrist, legs by angles, a head that looks, relaxed fingers.

Angles are degrees; rotations are against the reference pose in world axes (x to the figure's left, -y ahead, z up).
"""

from dataclasses import dataclass

import numpy as np

from inference.figure.body import Body, Shape

ARMS = ("hang", "loose", "akimbo", "pocket", "front", "behind", "wave", "fold")
LEGS = ("stand", "contrapposto", "walk", "apart", "cross")


@dataclass(frozen=True)
class Pose:
    """How a person stands. `lean` is which leg carries, +1 the left one; all angles in degrees."""

    left_arm: str
    right_arm: str
    legs: str
    lean: float
    turn: float  # of the whole figure, positive to its left
    bend: float  # of the spine, sideways
    twist: float  # of the chest against the hips
    head: tuple[float, float, float]  # turn, nod, tilt
    gaze: tuple[float, float]  # of the eyes in the head: turn, nod
    stride: float  # 0.6 .. 1.2
    slack: tuple[float, float]  # left and right: 0..1, how each arm departs from its ideal
    curl: float  # of the fingers


def rotations(pose: Pose, body: Body, shape: Shape) -> dict[str, np.ndarray]:
    """Turn a pose into rotations of bones for a person's shape."""
    result = _trunk(pose)
    result |= _legs(pose)
    for side, kind, slack in (("L", pose.left_arm, pose.slack[0]), ("R", pose.right_arm, pose.slack[1])):
        result |= _arm(kind, side, slack, body, shape, pose)
        result |= _fingers(side, pose.curl * (0.7 + 0.6 * slack), body, shape)
    return result


def axis_angle(axis: np.ndarray, degrees: float) -> np.ndarray:
    """Rotation [3, 3] by an angle about an axis."""
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(degrees)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def about(axis: str, degrees: float) -> np.ndarray:
    """Rotation [3, 3] about a world axis, `x`, `y` or `z`."""
    return axis_angle(np.eye(3)["xyz".index(axis)], degrees)


def _trunk(pose: Pose) -> dict[str, np.ndarray]:
    hip = 4.0 * pose.lean if pose.legs == "contrapposto" else 1.0 * pose.lean
    result = {"root": about("z", pose.turn) @ about("y", -hip)}
    for bone, share in (("spine05", 0.2), ("spine04", 0.25), ("spine03", 0.25), ("spine02", 0.2), ("spine01", 0.1)):
        result[bone] = about("z", pose.twist * share) @ about("y", (hip * 1.5 + pose.bend) * share)
    turn, nod, tilt = pose.head
    for bone, share in (("neck01", 0.2), ("neck02", 0.2), ("neck03", 0.2), ("head", 0.4)):
        result[bone] = about("z", turn * share) @ about("x", nod * share) @ about("y", tilt * share)
    for side in "LR":
        result[f"eye.{side}"] = about("z", pose.gaze[0]) @ about("x", pose.gaze[1])
    return result


def _legs(pose: Pose) -> dict[str, np.ndarray]:
    hip = 4.0 * pose.lean if pose.legs == "contrapposto" else 1.0 * pose.lean
    # hip: flexion (forward), opening (outward), knee, turn out of the foot
    plain = {"L": (0.0, -5.5, 2.0, 6.0), "R": (0.0, -5.5, 2.0, 6.0)}
    free = "R" if pose.lean > 0 else "L"
    carrying = "L" if free == "R" else "R"
    if pose.legs == "contrapposto":
        plain[carrying] = (0.0, -7.0, 0.0, 5.0)
        plain[free] = (16.0, -2.0, 26.0, 16.0)
    elif pose.legs == "walk":
        plain[free] = (22.0 * pose.stride, -8.5, 6.0, 3.0)
        plain[carrying] = (-15.0 * pose.stride, -8.5, 14.0, 3.0)
    elif pose.legs == "apart":
        plain = {"L": (0.0, 1.5, 1.0, 12.0), "R": (0.0, 1.5, 1.0, 12.0)}
    elif pose.legs == "cross":
        plain[free] = (9.0, -11.0, 12.0, 10.0)
    result = {}
    for side, (flexion, opening, knee, out) in plain.items():
        sign = 1 if side == "L" else -1
        result[f"upperleg01.{side}"] = (
            about("z", sign * out * 0.6) @ about("x", -flexion) @ about("y", -sign * opening + hip)
        )
        result[f"lowerleg01.{side}"] = about("x", knee)
        ground = flexion - knee if pose.legs != "walk" or side == free else (flexion - knee) * 0.35
        result[f"foot.{side}"] = about("z", sign * out * 0.4) @ about("x", ground)
    return result


def _arm(kind: str, side: str, slack: float, body: Body, shape: Shape, pose: Pose) -> dict[str, np.ndarray]:
    sign = 1.0 if side == "L" else -1.0
    shoulder, elbow, wrist = (
        shape.heads[body.bone[f"{bone}.{side}"]] for bone in ("upperarm01", "lowerarm01", "wrist")
    )
    hip = shape.heads[body.bone[f"upperleg01.{side}"]]
    upper, lower = np.linalg.norm(elbow - shoulder), np.linalg.norm(wrist - elbow)
    reach = upper + lower
    swing = 0.0
    if pose.legs == "walk":
        swing = (1 if (pose.lean > 0) == (side == "L") else -1) * 0.26 * pose.stride
    side_of_hip = abs(hip[0]) + 0.105
    down, ahead = reach * (0.88 - 0.06 * slack), reach * (0.22 + swing)
    from_shoulder = {
        "hang": ((0.055 + 0.05 * slack, -reach * (0.10 + swing + 0.08 * slack), -reach * 0.955), (0.5, 1.0, 0.0)),
        "loose": ((0.10 + 0.05 * slack, -ahead, -down), (0.7, 1.0, 0.0)),
        "wave": ((0.24 + 0.06 * slack, -0.14, 0.17 + 0.12 * slack), (0.8, 0.2, -1.0)),
        "fold": ((-0.22 - 0.03 * slack, -0.27, -0.25), (1.0, 0.1, -0.7)),
    }
    from_hip = {  # across from the middle of the body, ahead of and above the hip
        "akimbo": ((side_of_hip, -0.035 + 0.04 * slack, 0.13), (1.0, 0.45, 0.1)),
        "pocket": ((side_of_hip, -0.075, 0.04 - 0.03 * slack), (0.9, 0.9, 0.0)),
        "front": ((0.05 + 0.08 * slack, -0.24, 0.08 + 0.1 * slack), (1.0, 0.3, -0.3)),
        "behind": ((0.10 + 0.04 * slack, 0.19, 0.08), (1.0, 0.4, 0.0)),
    }
    mirror = np.array([sign, 1.0, 1.0])
    if kind in from_hip:
        goal, hint = from_hip[kind]
        return _reach(side, shoulder, elbow, wrist, goal * mirror + [0.0, hip[1], hip[2]], hint * mirror, kind)
    goal, hint = from_shoulder[kind]
    return _reach(side, shoulder, elbow, wrist, shoulder + goal * mirror, hint * mirror, kind)


def _reach(
    side: str, shoulder: np.ndarray, elbow: np.ndarray, wrist: np.ndarray, goal: np.ndarray, hint: np.ndarray, kind: str
) -> dict[str, np.ndarray]:
    """Two-bone inverse kinematics: bring the wrist to the goal with the elbow towards the hint."""
    upper, lower = elbow - shoulder, wrist - elbow
    a, b = np.linalg.norm(upper), np.linalg.norm(lower)
    line = goal - shoulder
    distance = np.clip(np.linalg.norm(line), abs(a - b) + 0.02, (a + b) * 0.995)
    along = line / np.linalg.norm(line)
    hint = hint - (hint @ along) * along
    hint = hint / np.linalg.norm(hint)
    cosine = (a * a + distance * distance - b * b) / (2 * a * distance)
    new_upper = along * cosine + hint * np.sqrt(max(0.0, 1 - cosine * cosine))
    new_lower = along * distance - new_upper * a
    new_lower /= np.linalg.norm(new_lower)
    u, f = upper / a, lower / b
    hinge, new_hinge = np.cross(u, f), np.cross(new_upper, new_lower)
    hinge, new_hinge = hinge / np.linalg.norm(hinge), new_hinge / np.linalg.norm(new_hinge)
    turned = _frame(new_upper, new_hinge) @ _frame(u, hinge).T
    flexed = np.degrees(np.arccos(np.clip(new_upper @ new_lower, -1, 1)) - np.arccos(np.clip(u @ f, -1, 1)))
    sign = 1 if side == "L" else -1
    roll = {"wave": -70.0, "front": 25.0, "fold": 30.0, "hang": -20.0, "akimbo": -30.0}.get(kind, 0.0)
    return {
        f"upperarm01.{side}": turned,
        f"lowerarm01.{side}": axis_angle(hinge, flexed),
        f"lowerarm02.{side}": axis_angle(f, sign * roll * 0.6),
        f"wrist.{side}": axis_angle(f, sign * roll * 0.4),
    }


def _frame(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.column_stack([first, second, np.cross(first, second)])


def _fingers(side: str, curl: float, body: Body, shape: Shape) -> dict[str, np.ndarray]:
    at = lambda bone: shape.heads[body.bone[f"{bone}.{side}"]]  # noqa: E731
    across = at("finger2-1") - at("finger5-1")
    along = at("finger3-3") - at("finger3-1")
    palm = np.cross(across, along)
    if (at("finger1-3") - at("finger3-1")) @ palm < 0:  # the thumb stands on the palm's side
        palm = -palm
    axis = np.cross(along, palm)
    result = {}
    for finger, more in ((2, 0.8), (3, 1.0), (4, 1.1), (5, 1.15)):
        for joint, share in ((1, 0.7), (2, 1.0), (3, 0.7)):
            result[f"finger{finger}-{joint}.{side}"] = axis_angle(axis, curl * more * share)
    return result
