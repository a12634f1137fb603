"""Pose pictures as pose-conditioned image generators read them: the 18 points and 17 coloured limbs of OpenPose.

picture = draw(keypoints, 512, 512)                            # [18, 3] or [D, 18, 3]: x, y in pixels, confidence
picture = draw(of_coco(coco), 512, 512)                        # from detected or annotated COCO-17 points
picture = draw(of_joints(positions, head, camera), 512, 512)   # from a motion

Written from the published facts (point order, limbs, colours, extents), with none of OpenPose's code.
"""

import cv2
import numpy as np

from inference.dancefloor.camera import Camera
from inference.motion.points import COCO
from inference.motion.skeleton import FACE, INDEX

POINTS = (
    "nose",
    "neck",
    "right_shoulder",
    "right_elbow",
    "right_wrist",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "right_hip",
    "right_knee",
    "right_ankle",
    "left_hip",
    "left_knee",
    "left_ankle",
    "right_eye",
    "left_eye",
    "right_ear",
    "left_ear",
)
# In the order in which they are drawn and coloured.
LIMBS = (
    (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13), (1, 0),
    (0, 14), (14, 16), (0, 15), (15, 17),
)  # fmt: skip
LEAST = 0.3  # confidence of a point that is drawn
WIDTH = 4  # pixels of a limb's half width and of a point's radius in a picture of 512
DIMMED = 0.6  # of a limb's colour; points stand on top in full
FACING = {"nose": -0.25, "eye": -0.1, "ear": -0.35}  # how far a point may look away from the camera and be seen


def _colours() -> list[tuple[int, int, int]]:
    """Go around the wheel of full colours in 18 steps of k/18, from red by yellow and green to blue and back."""
    wheel = []
    for step in range(len(POINTS)):
        sixth, rest = divmod(step * 6, len(POINTS))
        up = rest * 255 // len(POINTS)
        full, none, down = 255, 0, 255 - up
        wheel.append(
            [
                (full, up, none),
                (down, full, none),
                (none, full, up),
                (none, down, full),
                (up, none, full),
                (full, none, down),
            ][sixth]
        )
    return wheel


COLOURS = _colours()


def of_coco(coco: np.ndarray) -> np.ndarray:
    """Reorder COCO-17 points [..., 17, 3] (x, y, confidence); the neck lies between the shoulders, as sure as both."""
    shoulders = coco[..., [COCO.index("left_shoulder"), COCO.index("right_shoulder")], :]
    neck = np.concatenate([shoulders[..., :2].mean(-2), shoulders[..., 2].min(-1)[..., None]], axis=-1)
    return np.stack([neck if name == "neck" else coco[..., COCO.index(name), :] for name in POINTS], axis=-2)


def points_of(positions: np.ndarray, head: np.ndarray) -> np.ndarray:
    """Place the 18 points in space [..., 18, 3], of joints [..., 24, 3] and the head's turn in the world [..., 3, 3].

    The neck lies between the shoulders, where OpenPose has it; nose, eyes and ears are fixed in the head.
    """

    def point(name: str) -> np.ndarray:
        if name == "neck":
            return (positions[..., INDEX["left_shoulder"], :] + positions[..., INDEX["right_shoulder"], :]) / 2
        if name in FACE:
            return positions[..., INDEX["head"], :] + head @ FACE[name]
        return positions[..., INDEX[name], :]

    return np.stack([point(name) for name in POINTS], axis=-2)


def of_joints(positions: np.ndarray, head: np.ndarray, camera: Camera) -> np.ndarray:
    """Project one dancer's joints [24, 3] to points [18, 3]; what of the face looks away has confidence 0."""
    points = points_of(positions, head)
    places, _ = camera.project(points)
    toward = camera.eye - points[POINTS.index("nose")]
    toward = toward / np.linalg.norm(toward)
    seen = np.array([_faces(name, head, toward) for name in POINTS])
    return np.column_stack([places, seen])


def _faces(name: str, head: np.ndarray, toward: np.ndarray) -> float:
    """Tell whether a point of the face is on the side that the camera sees: 1 or 0; 1 of all others."""
    side, _, part = name.rpartition("_")
    if part not in FACING:
        return 1.0
    out = np.array([{"left": 1.0, "right": -1.0}.get(side, 0.0), 0.0, 0.0])
    ahead = np.array([0.0, 0.0, 1.0])
    normal = {"nose": ahead, "eye": 0.35 * out + 0.94 * ahead, "ear": out}[part]
    return float(head @ normal @ toward > FACING[part])


def draw(points: np.ndarray, width: int, height: int, stick: float | None = None) -> np.ndarray:
    """Draw points [18, 3] or [D, 18, 3] (x, y, confidence) as uint8 [H, W, 3] on black.

    `stick` is a limb's half width in pixels: 4 at 512, in proportion if left out.
    """
    people = points.reshape(-1, len(POINTS), 3)
    stick = max(1.0, WIDTH * min(width, height) / 512) if stick is None else stick
    picture = np.zeros((height, width, 3), np.uint8)
    for person in people:
        for (first, second), colour in zip(LIMBS, COLOURS, strict=False):
            if min(person[first, 2], person[second, 2]) >= LEAST:
                dim = tuple(int(channel * DIMMED) for channel in colour)
                cv2.fillConvexPoly(picture, _ellipse(person[first, :2], person[second, :2], stick), dim)
    for person in people:
        for (x, y, sure), colour in zip(person, COLOURS, strict=True):
            if sure >= LEAST and abs(x) + abs(y) < 1e5:
                cv2.circle(picture, (int(x), int(y)), round(stick), colour, cv2.FILLED)
    return picture


def _ellipse(first: np.ndarray, second: np.ndarray, stick: float) -> np.ndarray:
    """Outline of a filled limb: as long as it is, `stick` to each side."""
    middle = np.clip((first + second) / 2, -1e5, 1e5)
    along = second - first
    axes = (int(np.clip(np.hypot(*along) / 2, 0, 1e5)), max(1, int(stick)))
    turn = int(np.degrees(np.arctan2(along[1], along[0])))
    return cv2.ellipse2Poly((int(middle[0]), int(middle[1])), axes, turn, 0, 360, 5)
