"""Stick figures: limbs as tapered capsules, the left side warm and the right side cool, on a floor with a shadow.

picture = draw(positions, camera)                      # joints [24, 3] or [D, 24, 3] of dancers -> uint8 [H, W, 3]
sheet = strip(positions, pictures=8)                   # [T, 24, 3]: how a motion goes, side by side
"""

from collections.abc import Sequence

import cv2
import numpy as np

from inference.dancefloor.camera import Camera, follow
from inference.dancefloor.floor import NIGHT, Floor
from inference.motion.skeleton import INDEX, JOINTS, PARENTS

LEFT, RIGHT, MIDDLE = (255, 158, 84), (88, 190, 255), (226, 224, 240)
INK = (10, 12, 22)
SHARP = 4  # bits of a pixel that cv2 is given: joints do not jump from pixel to pixel
SHADE = np.array([0.35, -1.0, -0.3])  # where the light goes
HEAD = 0.105  # metres of its radius
# metres of a limb's radius at the parent and at the joint; others are thin
RADII = {
    "spine1": (0.085, 0.08),
    "spine2": (0.08, 0.085),
    "spine3": (0.085, 0.09),
    "neck": (0.05, 0.045),
    "head": (0.045, 0.045),
    "hip": (0.07, 0.075),
    "knee": (0.075, 0.055),
    "ankle": (0.055, 0.038),
    "foot": (0.04, 0.03),
    "collar": (0.05, 0.05),
    "shoulder": (0.05, 0.052),
    "elbow": (0.052, 0.038),
    "wrist": (0.038, 0.028),
    "hand": (0.032, 0.026),
}


def draw(positions: np.ndarray, camera: Camera, floor: Floor | None = None) -> np.ndarray:
    """Draw dancers' joints [24, 3] or [D, 24, 3] as uint8 [H, W, 3]; a `floor` of the film is drawn faster."""
    dancers = positions.reshape(-1, len(JOINTS), 3)
    floor = floor or Floor(NIGHT, camera)
    picture = floor.picture(camera, _shadow(dancers, camera))
    limbs = [(depth, *limb) for dancer in dancers for depth, *limb in _limbs(dancer, camera)]
    for _, outline, colour in sorted(limbs, key=lambda limb: -limb[0]):
        cv2.fillPoly(picture, [outline], colour, cv2.LINE_AA, SHARP)
        cv2.polylines(picture, [outline], True, INK, max(1, round(camera.height / 500)), cv2.LINE_AA, SHARP)
    return picture


def strip(positions: np.ndarray, pictures: int = 8, edge: int = 160, fps: float = 30) -> np.ndarray:
    """Draw so many moments of a motion's joints [T, 24, 3], evenly spaced, side by side: uint8 [edge, N * edge, 3]."""
    cameras = follow(positions[None], edge, edge, fps)
    floor = Floor(NIGHT, cameras[0])
    moments = np.linspace(0, len(positions) - 1, pictures).round().astype(int)
    return np.concatenate([draw(positions[at], cameras[at], floor) for at in moments], axis=1)


def sheet(motions: Sequence[np.ndarray], pictures: int = 8, edge: int = 160, fps: float = 30) -> np.ndarray:
    """Put the strips of several motions' joints [T, 24, 3] under each other."""
    return np.concatenate([strip(positions, pictures, edge, fps) for positions in motions])


def _limbs(joints: np.ndarray, camera: Camera) -> list[tuple[float, np.ndarray, tuple[int, ...]]]:
    """Depth, outline in fixed point [N, 2] and colour of each limb of a dancer."""
    places, depths = camera.project(joints)
    scale = camera.focal / np.maximum(depths, 0.1)
    found = []
    for joint, parent in enumerate(PARENTS):
        if parent < 0:
            continue
        start, end = RADII[JOINTS[joint].removeprefix("left_").removeprefix("right_")]
        outline = capsule(places[parent], places[joint], start * scale[parent], end * scale[joint])
        depth = (depths[parent] + depths[joint]) / 2
        found.append((depth, _fixed(outline), _shaded(JOINTS[joint], depth - depths[0])))
    head, chest = INDEX["head"], INDEX["spine3"]  # at rest the one is above the other, as the neck is not
    up = places[head] + 0.28 * (places[head] - places[chest])
    skull = capsule(places[head], up, 0.8 * HEAD * scale[head], HEAD * scale[head])
    found.append((depths[head] - 0.02, _fixed(skull), _shaded("head", depths[head] - depths[0])))
    return found


def _shaded(joint: str, behind: float) -> tuple[int, ...]:
    """Colour of a joint's side, darker the further it is behind the pelvis."""
    colour = LEFT if joint.startswith("left") else RIGHT if joint.startswith("right") else MIDDLE
    light = np.clip(0.86 - 0.45 * behind, 0.5, 1.0)
    return tuple(int(channel * light) for channel in colour)


def capsule(first: np.ndarray, second: np.ndarray, start: float, end: float) -> np.ndarray:
    """Outline [N, 2] of two discs, of radii `start` and `end`, and all between them."""
    along = second - first
    turn = np.arctan2(along[1], along[0])
    half = np.linspace(np.pi / 2, 3 * np.pi / 2, 9)
    near = first + start * np.stack([np.cos(turn + half), np.sin(turn + half)], axis=1)
    far = second + end * np.stack([np.cos(turn + half + np.pi), np.sin(turn + half + np.pi)], axis=1)
    return np.concatenate([near, far])


def _fixed(outline: np.ndarray) -> np.ndarray:
    return np.round(np.clip(outline, -8000, 8000) * (1 << SHARP)).astype(np.int32)


def _shadow(dancers: np.ndarray, camera: Camera) -> np.ndarray:
    """How much dancers shade the floor, uint8 [H, W]: limbs thrown on it along the light, their edges softened."""
    mask = np.zeros((camera.height, camera.width), np.uint8)
    thrown = dancers - SHADE * (dancers[..., 1:2] / SHADE[1])
    for joints in thrown:
        places, depths = camera.project(joints)
        scale = camera.focal / np.maximum(depths, 0.1)
        for joint, parent in enumerate(PARENTS):
            if parent >= 0:
                wide = 0.05 * scale[joint]
                outline = _fixed(capsule(places[parent], places[joint], wide, wide))
                cv2.fillPoly(mask, [outline], 255, cv2.LINE_AA, SHARP)
    return cv2.GaussianBlur(mask, (0, 0), max(1.0, camera.height / 150))
