"""Sets of points that others describe bodies by, and where each lies on the canonical skeleton."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from inference.errors import UserError
from inference.motion.skeleton import FACE, INDEX, JOINTS, REST

# Without these nobody can say how the legs, the arms and the trunk are held.
LIMBS = tuple(
    f"{side}_{joint}" for joint in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist") for side in ("left", "right")
)
_NEAR = 0.1  # metres at rest between such a joint and a point that can stand for it

_COCO_PARTS = ("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
COCO = ("nose", *(f"{side}_{part}" for part in _COCO_PARTS for side in ("left", "right")))
_COCO_LIMBS = ("shoulder", "elbow", "wrist", "knee", "ankle")

Place = tuple[str, tuple[float, float, float]]  # a joint, and metres from it in its frame


@dataclass(frozen=True)
class PointSet:
    """Names of points, the joint that carries each, and where it lies in that joint's frame."""

    names: tuple[str, ...]
    joints: tuple[int, ...]
    offsets: np.ndarray  # float32 [K, 3]
    mirrored: bool = False  # the coordinates are those of a mirror: x is negated on the way in
    swapped: tuple[str, str] | None = None  # left and right of the head, which change places in some frames
    centred: bool = False  # every frame is told from the middle of the body, so the way through the room is lost

    def rest(self) -> np.ndarray:
        """Give where the points lie in the canonical T-pose, [K, 3]."""
        return REST[list(self.joints)] + self.offsets

    def limbs(self) -> dict[str, int]:
        """Give for each of `LIMBS` the point that lies nearest to it at rest; UserError where none is near."""
        placed, found, missing = self.rest(), {}, []
        for name in LIMBS:
            apart = np.linalg.norm(placed - REST[INDEX[name]], axis=1)
            if apart.min() < _NEAR:
                found[name] = int(apart.argmin())
            else:
                missing.append(name)
        if missing:
            raise UserError(f"the skeleton has no {', '.join(missing)}; expected points for {', '.join(LIMBS)}")
        return found


def _set(places: Mapping[str, Place], **how: bool | tuple[str, str]) -> PointSet:
    offsets = np.array([offset for _, offset in places.values()], np.float32)
    return PointSet(tuple(places), tuple(INDEX[joint] for joint, _ in places.values()), offsets, **how)


def _coco17() -> PointSet:
    places: dict[str, Place] = {name: ("head", tuple(point.tolist())) for name, point in FACE.items()}
    for side, out in (("left", 1), ("right", -1)):
        # Solved with the bones: a COCO hip rides on the pelvis, beside the joint that the leg turns about.
        places[f"{side}_hip"] = ("pelvis", (0.11 * out, -0.074, -0.019))
        places |= {f"{side}_{part}": (f"{side}_{part}", (0.0, 0.0, 0.0)) for part in _COCO_LIMBS}
    return _set({name: places[name] for name in COCO})


def _melody23() -> PointSet:
    """The 23 points of "Dance with Melody" (Tang et al., ACM MM 2018), which come without names.

    Read off their distances and the lines of the authors' drawing: two points on the head, one between the hips, then
    one side (arm 3 4 5 6, leg 7 8 9 10 11), then the other (arm 12 13 14 15, leg 16 to 20), and one more for each hand
    (22, 21). Distances that stay rigid tell which bone a point rides on: 21 keeps its 12.2 cm to 13 within 0.2 cm, so
    both are on the forearm, while 15 moves against 13 by centimetres, so it is on the hand; 10 and 11, 20 cm apart, are
    heel and toe, and toes and knees say where the front is.

    Which side is left: the waltzes are danced in hold without the partner. One arm (12) is stretched out to its side
    with the hand at the height of the head, the other (3) held before the body; the trunk leans back, and the head is
    turned and leant away from the stretched arm in every waltz. A man stretches his left arm and looks along it; a lady
    stretches her right arm and looks away from it, to her left, leaning back. So 3 is the left side. As the points are
    stored, y up, that makes their axes left-handed (those of Unity, which the authors used): x is negated. In many
    takes the two points of the head change places and back within a few frames.
    """
    rows: tuple[tuple[str, Place], ...] = (
        ("left_jaw", ("head", (0.055, 0.02, 0.0))),
        ("right_jaw", ("head", (-0.055, 0.02, 0.0))),
        ("waist", ("pelvis", (0.0, 0.09, 0.03))),
        ("left_shoulder", ("left_shoulder", (0.0, 0.0, 0.0))),
        ("left_elbow", ("left_elbow", (0.0, 0.0, 0.0))),
        ("left_forearm", ("left_elbow", (0.12, 0.0, 0.0))),
        ("left_palm", ("left_wrist", (0.03, 0.0, 0.0))),
        ("left_hip", ("pelvis", (0.115, -0.08, 0.0))),
        ("left_knee", ("left_knee", (0.0, 0.0, 0.0))),
        ("left_ankle", ("left_ankle", (0.0, 0.0, 0.0))),
        ("left_heel", ("left_ankle", (0.0, -0.06, -0.08))),
        ("left_toe", ("left_ankle", (0.02, -0.06, 0.13))),
        ("right_shoulder", ("right_shoulder", (0.0, 0.0, 0.0))),
        ("right_elbow", ("right_elbow", (0.0, 0.0, 0.0))),
        ("right_lower_forearm", ("right_elbow", (-0.18, 0.0, 0.0))),
        ("right_knuckles", ("right_wrist", (-0.05, 0.0, 0.0))),
        ("right_hip", ("pelvis", (-0.115, -0.08, 0.0))),
        ("right_knee", ("right_knee", (0.0, 0.0, 0.0))),
        ("right_ankle", ("right_ankle", (0.0, 0.0, 0.0))),
        ("right_heel", ("right_ankle", (0.0, -0.06, -0.08))),
        ("right_toe", ("right_ankle", (-0.02, -0.06, 0.13))),
        ("right_upper_forearm", ("right_elbow", (-0.12, 0.0, 0.0))),
        ("left_finger", ("left_wrist", (0.06, 0.0, 0.02))),
    )
    return _set(dict(rows), mirrored=True, centred=True, swapped=("left_jaw", "right_jaw"))


SETS = {"coco17": _coco17(), "melody23": _melody23()}
_KNOWN: dict[str, Place] = {
    **{name: (name, (0.0, 0.0, 0.0)) for name in JOINTS},
    **{name: ("head", tuple(point.tolist())) for name, point in FACE.items()},
}


def named(names: Sequence[str]) -> PointSet:
    """Describe a user's own points by their names: a set of `SETS`, or any of the joints and of the face's points."""
    for known in SETS.values():
        if tuple(names) == known.names:
            return known
    strange = [name for name in names if name not in _KNOWN]
    if strange:
        raise UserError(f"no point of a body is called {strange[0]!r}; known are {', '.join(_KNOWN)}")
    twice = [name for name in names if list(names).count(name) > 1]
    if twice:
        raise UserError(f"the point {twice[0]!r} is named twice; expected each name once")
    return _set({name: _KNOWN[name] for name in names})
