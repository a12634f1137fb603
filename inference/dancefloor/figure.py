"""A clothed person who dances: built and dressed once, then moved by the rotations of the skeleton.

Skin, clothes and hair are bound to the body's bones in a pose with the arms half lowered, in which they are made.
"""

from functools import cache

import numpy as np

from inference.dancefloor import dancers
from inference.dancefloor.clearance import Clearance
from inference.dancefloor.retarget import AXES, Retarget, about
from inference.figure.body import Body, load_body
from inference.figure.hair import Barber
from inference.figure.mesh import Mesh, cut
from inference.figure.shading import Material, eye, hair, linear, plain, skin
from inference.figure.wardrobe import Wardrobe
from inference.motion.skeleton import ANKLE_HEIGHT, FOOT_HEIGHT, INDEX, JOINTS, OFFSETS

LOWERED = 42.0  # degrees of the arms in the pose in which clothes are made
CURL = 26.0  # degrees of the fingers' joints
NEAREST = 4  # vertices of the body that a garment's vertex goes along with
# How far over the floor joints are while what is around them touches it.
CLEARANCE = {"ankle": ANKLE_HEIGHT, "foot": FOOT_HEIGHT, "hand": 0.02, "wrist": 0.03, "elbow": 0.05, "knee": 0.06}
THICK = 0.1  # of joints that are not named there


class Figure:
    """One dancer's body: where its vertices are in each frame."""

    def __init__(self, seed: int) -> None:
        self.body, wardrobe, barber = _studio()
        who = dancers.dancer(seed)
        shape = self.body.shape(who.phenotype, {})
        self.retarget = Retarget(self.body, shape, OFFSETS, _fingers(self.body))
        self.clearance = Clearance(self.body, shape)
        made_in = self.retarget(_lowered())
        posed = self.body.pose(shape, made_in, dancers.SMILE)
        garments, materials, bare = wardrobe.dress(who.outfit, posed)
        locks = barber.grow(who.hair, posed, None)
        strand = hair(*who.hair_colours, who.hair.strand, who.hair.curl, who.hair.seed)
        bound = [*_skin(self.body, posed.vertices, bare), *_garments(self.body, garments), *_hair(self.body, locks)]
        materials = materials | _materials(self.body, who) | {mesh.name: strand for mesh in locks}
        self.meshes, self.materials = [mesh for mesh, _ in bound], materials
        self.still = np.concatenate([mesh.vertices for mesh in self.meshes]).astype(np.float32)
        self.shape = shape
        self._bind(np.concatenate([weights for _, weights in bound]), made_in)
        self._measure()

    def _bind(self, weights: np.ndarray, made_in: dict[str, np.ndarray]) -> None:
        """Keep the bones that move anything, and the way back from the pose in which all was made."""
        body = self.body
        used = np.flatnonzero(weights.max(0) > 1e-3)
        self._used = used
        self._weights = (weights[:, used] / weights[:, used].sum(1, keepdims=True)).astype(np.float32)
        self._home = np.linalg.inv(_square(body.moves(self.shape, made_in)[used]))

    def _measure(self) -> None:
        """Compare the legs with the skeleton's, and find where the hips are at rest."""
        heads = self.body.pose(self.shape, {}, {}).heads
        at = {name: heads[self.body.bone[name]] for name in ("upperleg01.L", "lowerleg01.L", "foot.L", "upperleg01.R")}
        own = np.linalg.norm(at["lowerleg01.L"] - at["upperleg01.L"]) + np.linalg.norm(
            at["foot.L"] - at["lowerleg01.L"]
        )
        bones = OFFSETS[[INDEX["left_knee"], INDEX["left_ankle"]]]
        self.scale = float(own / np.linalg.norm(bones, axis=1).sum())
        self._hips = (at["upperleg01.L"] + at["upperleg01.R"]) / 2

    def vertices(self, turned: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Place the vertices [V, 3] (z up) for joints' rotations in the world [24, 3, 3] and places [24, 3]."""
        rotations = self.retarget(turned)
        moves = self.clearance(self.body.moves(self.shape, rotations))
        moves = _square(moves[self._used]) @ self._home
        blended = (self._weights @ moves[:, :3].reshape(len(moves), 12).astype(np.float32)).reshape(-1, 3, 4)
        vertices = np.einsum("vij,vj->vi", blended[:, :, :3], self.still) + blended[:, :, 3]
        hips = AXES @ (positions[INDEX["left_hip"]] + positions[INDEX["right_hip"]]) / 2
        vertices += (self.scale * hips - rotations["root"] @ self._hips).astype(np.float32)
        # Its own feet are longer or shorter than the skeleton's: what is lowest stands as high as it does there.
        vertices[:, 2] += self.scale * _lowest(positions) - vertices[:, 2].min()
        return vertices


@cache
def _studio() -> tuple[Body, Wardrobe, Barber]:
    body = load_body()
    return body, Wardrobe(body), Barber(body)


def _lowered() -> np.ndarray:
    """Rotations in the world [24, 3, 3] of the pose in which clothes are made."""
    turned = np.repeat(np.eye(3)[None], len(JOINTS), 0)
    for side, sign in (("left", -1), ("right", 1)):
        for joint in ("shoulder", "elbow", "wrist", "hand"):
            turned[INDEX[f"{side}_{joint}"]] = about(2, sign * LOWERED)
    return turned


def _fingers(body: Body) -> dict[str, np.ndarray]:
    """Curl the fingers a little towards the palm: rotations of their bones."""
    found = {}
    for end in "LR":
        at = {
            name: body.rest_head(f"{name}.{end}")
            for name in ("finger2-1", "finger5-1", "finger3-1", "finger3-3", "finger1-3")
        }
        across, along = at["finger2-1"] - at["finger5-1"], at["finger3-3"] - at["finger3-1"]
        palm = np.cross(across, along)
        if (at["finger1-3"] - at["finger3-1"]) @ palm < 0:  # the thumb stands on the palm's side
            palm = -palm
        axis = np.cross(along, palm)
        for finger, more in ((2, 0.8), (3, 1.0), (4, 1.1), (5, 1.15)):
            for joint, share in ((1, 0.7), (2, 1.0), (3, 0.7)):
                found[f"finger{finger}-{joint}.{end}"] = about(axis, CURL * more * share)
    return found


def _skin(body: Body, vertices: np.ndarray, bare: np.ndarray) -> list[tuple[Mesh, np.ndarray]]:
    """Skin where it is bare, eyes and lashes, each with weights [N, J] of bones."""
    first, last = body.groups["body"]
    uv = np.zeros((len(body.template), 2), np.float32)
    uv[body.triangles[first:last].ravel()] = body.triangle_uv[first:last].reshape(-1, 2)
    chart = np.column_stack([body.template, uv, body.masks["fingernails"]]).astype(np.float32)
    triangles = body.group("body")
    inside = body.masks["inside-mouth"][triangles].min(1) > 0.5
    left = cut(triangles[~inside], bare)
    pieces = [(Mesh("skin", left(vertices), left.triangles, left(chart)), left(body.weights))]
    groups = {"mouth": triangles[inside]} | {f"eye-{side}": body.group(f"helper-{side}-eye") for side in "lr"}
    groups |= {f"lashes-{side}": body.group(f"helper-{side}-eyelashes-1") for side in "lr"}
    for name, faces in groups.items():
        used, corners = np.unique(faces, return_inverse=True)
        mesh = Mesh(name, vertices[used], corners.reshape(-1, 3).astype(np.int32), chart[used])
        pieces.append((mesh, body.weights[used]))
    return pieces


def _garments(body: Body, garments: list[Mesh]) -> list[tuple[Mesh, np.ndarray]]:
    """Bind garments to the body: each vertex goes along with the nearest of the tights that it was cut from."""
    tights = np.unique(body.group("helper-tights"))
    places = body.template[tights]
    bound = []
    for mesh in garments:
        far = (places**2).sum(1) - 2 * mesh.chart[:, :3] @ places.T + (mesh.chart[:, :3] ** 2).sum(1)[:, None]
        near = np.argpartition(far, NEAREST, axis=1)[:, :NEAREST]
        share = 1 / (np.maximum(np.take_along_axis(far, near, 1), 0) + 1e-6)
        share /= share.sum(1, keepdims=True)
        bound.append((mesh, np.einsum("nk,nkj->nj", share, body.weights[tights[near]])))
    return bound


def _hair(body: Body, locks: list[Mesh]) -> list[tuple[Mesh, np.ndarray]]:
    head = np.eye(len(body.bones), dtype=np.float32)[body.bone["head"]]
    return [(mesh, np.repeat(head[None], len(mesh.vertices), 0)) for mesh in locks]


def _materials(body: Body, who: dancers.Dancer) -> dict[str, Material]:
    lash, ball = plain(linear("#120d0b"), gloss=0.1), eye(who.iris)
    return {
        "skin": skin(who.skin, body.lips_texture, body.lips_window),
        "mouth": plain(linear("#4a1516"), gloss=0.2),
        **{f"eye-{side}": ball for side in "lr"},
        **{f"lashes-{side}": lash for side in "lr"},
    }


def _lowest(positions: np.ndarray) -> float:
    """How high over the floor the lowest part of a dancer is: 0 while something stands or lies on it."""
    return max(0.0, float((positions[:, 1] - _CLEARANCES).min()))


_CLEARANCES = np.array([CLEARANCE.get(name.rpartition("_")[2], THICK) for name in JOINTS])


def _square(moves: np.ndarray) -> np.ndarray:
    """Complete [N, 3, 4] moves to [N, 4, 4]."""
    return np.concatenate([moves, np.broadcast_to([[[0.0, 0, 0, 1]]], (len(moves), 1, 4))], axis=1)


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)
