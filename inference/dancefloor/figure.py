"""A clothed person who dances: built and dressed once, then moved by the skeleton's rotations and drawn frame by frame.

The body, its skin and its clothes are bound to the bones in a pose with the arms half lowered; a frame moves their
vertices, finds what the light reaches (a shadow map) and fills the triangles: some 25 ms of one core at 720x720.
"""

from functools import cache
from itertools import pairwise

import cv2
import numpy as np
import warp as wp

from inference.dancefloor import dancers
from inference.dancefloor.camera import Camera
from inference.dancefloor.floor import Floor
from inference.dancefloor.retarget import AXES, Retarget, about
from inference.figure import rays
from inference.figure.body import Body, load_body
from inference.figure.hair import Barber
from inference.figure.mesh import Mesh, cut
from inference.figure.raster import Lamp, Raster, bake
from inference.figure.shading import Material, eye, hair, linear, plain, skin
from inference.figure.shadow import ShadowMap
from inference.figure.wardrobe import Wardrobe
from inference.motion.skeleton import ANKLE_HEIGHT, FOOT_HEIGHT, INDEX, JOINTS, OFFSETS

SAMPLES = 2  # a side of a pixel
ALIKE = 0.03  # metres
LOWERED = 42.0  # degrees of the arms in the pose in which clothes are made
CURL = 26.0  # degrees of the fingers' joints
NEAREST = 4  # vertices of the body that a garment's vertex goes along with
TOWARDS = np.array([-0.45, -0.62, 0.9])  # the key light, where z is up and -y is ahead
BEHIND = np.array([0.6, 0.75, 0.45])
KEY, SKY, GROUND, RIM = (2.35, 2.22, 2.05), (0.62, 0.68, 0.76), (0.42, 0.36, 0.31), (0.7, 0.75, 0.85)
MAP_METRES, MAP_PIXELS = 3.4, 288  # of the shadow map about a dancer
EXPOSURE = 0.95
# How far over the floor joints are while what is around them touches it.
CLEARANCE = {"ankle": ANKLE_HEIGHT, "foot": FOOT_HEIGHT, "hand": 0.02, "wrist": 0.03, "elbow": 0.05, "knee": 0.06}
THICK = 0.1  # of joints that are not named there
PIECES_OF_HEAD = ("hair", "eye", "lashes", "mouth")


class Figure:
    """One dancer's body: where its vertices are in each frame."""

    def __init__(self, seed: int) -> None:
        self.body, wardrobe, barber = _studio()
        who = dancers.dancer(seed)
        shape = self.body.shape(who.phenotype, {})
        self.retarget = Retarget(self.body, shape, OFFSETS, _fingers(self.body))
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
        moves = _square(self.body.moves(self.shape, rotations)[self._used]) @ self._home
        blended = (self._weights @ moves[:, :3].reshape(len(moves), 12).astype(np.float32)).reshape(-1, 3, 4)
        vertices = np.einsum("vij,vj->vi", blended[:, :, :3], self.still) + blended[:, :, 3]
        hips = AXES @ (positions[INDEX["left_hip"]] + positions[INDEX["right_hip"]]) / 2
        vertices += (self.scale * hips - rotations["root"] @ self._hips).astype(np.float32)
        # Its own feet are longer or shorter than the skeleton's: what is lowest stands as high as it does there.
        vertices[:, 2] += self.scale * _lowest(positions) - vertices[:, 2].min()
        return vertices


class Ensemble:
    """Dancers drawn together before a floor; motions are rotations in the world and places of joints."""

    def __init__(self, seeds: list[int], camera: Camera, floor: Floor) -> None:
        self.figures = [Figure(seed) for seed in seeds]
        self.floor = floor
        meshes, materials = [], {}
        for number, figure in enumerate(self.figures):
            for mesh in figure.meshes:
                name = f"{number}-{mesh.name}"
                meshes.append(Mesh(name, mesh.vertices, mesh.triangles, mesh.chart, mesh.normals))
                materials[name] = figure.materials[mesh.name]
        keep = [np.ones(len(mesh.triangles), bool) for mesh in meshes]
        eye = np.array([0.0, -6.0, 0.5])
        self.paint = bake(meshes, materials, eye, keep)
        self.raster = Raster(self.paint, camera.width, camera.height, SAMPLES, ALIKE)
        ends = np.cumsum([0, *[len(figure.still) for figure in self.figures]])
        self._parts = [slice(int(a), int(b)) for a, b in pairwise(ends)]
        self._triangles = [
            self.paint.triangles[(self.paint.triangles[:, 0] >= part.start) & (self.paint.triangles[:, 0] < part.stop)]
            - part.start
            for part in self._parts
        ]
        self._on_device = [wp.array(each, dtype=wp.int32, device="cpu") for each in self._triangles]
        self._sky = [_openness(figure.still, each) for figure, each in zip(self.figures, self._triangles, strict=True)]
        self.shadows = ShadowMap(TOWARDS, MAP_METRES, MAP_PIXELS)
        self.lamp = Lamp(_unit(TOWARDS), *map(np.array, (KEY, SKY, GROUND)), _unit(BEHIND), np.array(RIM))

    def picture(self, turned: np.ndarray, positions: np.ndarray, camera: Camera) -> np.ndarray:
        """Draw a frame, uint8 [H, W, 3], of rotations [D, 24, 3, 3] and places [D, 24, 3]."""
        parts, light, turns = [], [], []
        shade = np.zeros((camera.height, camera.width), np.uint8)
        for number, figure in enumerate(self.figures):
            vertices = figure.vertices(turned[number], positions[number])
            centre = (vertices.min(0) + vertices.max(0)) / 2
            key = self.shadows.throw(vertices, self._on_device[number], centre)
            shade = np.maximum(shade, self._on_floor(vertices, centre, camera))
            parts.append(vertices)
            light.append(np.column_stack([key, self._sky[number]]))
            turns += [_turn_of(mesh.name, turned[number]) for mesh in figure.meshes]
        seen = rays.Camera(AXES @ camera.eye, AXES @ camera.target, camera.width, camera.height, camera.focal)
        colour, cover = self.raster.draw(np.concatenate(parts), np.concatenate(light), np.stack(turns), seen, self.lamp)
        return _over(self.floor.picture(camera, shade), colour, cover[..., 0])

    def _on_floor(self, vertices: np.ndarray, centre: np.ndarray, camera: Camera) -> np.ndarray:
        """How much of the light a dancer keeps off the floor, uint8 [H, W]: a shadow, and a dimness close to it."""
        corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
        floor = np.column_stack([centre[:2] + 2 * corners - 1, np.zeros(4)])
        on_map = self.shadows.places(floor, centre)[:, :2].astype(np.float32)
        from_map = cv2.getPerspectiveTransform(on_map, floor[:, :2].astype(np.float32))
        to_picture = camera.floor() @ np.diag([1.0, -1.0, 1.0])  # z there is -y here
        soft = cv2.GaussianBlur(self.shadows.silhouette(), (0, 0), 2.2)
        thrown = cv2.warpPerspective(soft, to_picture @ from_map, (camera.width, camera.height))
        close = _closeness(vertices, centre)
        place = np.array([[CELL, 0, centre[0] - REACH], [0, CELL, centre[1] - REACH], [0, 0, 1]])
        dim = cv2.warpPerspective(close, to_picture @ place, (camera.width, camera.height))
        return cv2.max(cv2.multiply(thrown, 0.8), dim)


REACH, CELL = 1.6, 3.2 / 96  # metres about a dancer, and of a cell, in which closeness to the floor is counted


def _closeness(vertices: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Where something is just over the floor, uint8 [96, 96] about the centre."""
    near = np.exp(-np.maximum(vertices[:, 2], 0) / 0.09)
    cells = np.clip(((vertices[:, :2] - centre[:2] + REACH) / CELL).astype(int), 0, 95)
    total = np.bincount(cells[:, 1] * 96 + cells[:, 0], near, 96 * 96).reshape(96, 96)
    soft = cv2.GaussianBlur(np.minimum(total, 6.0).astype(np.float32), (0, 0), 1.6)
    return np.clip(soft * 75, 0, 255).astype(np.uint8)


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


def _openness(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Share of the sky [V] that reaches each vertex in the pose in which clothes are made."""
    mesh = Mesh("all", vertices, triangles, np.zeros((len(vertices), 6), np.float32))
    scene = rays.Scene([mesh], device="cpu")
    open_ = scene.openness(scene.vertices, scene.normals, 0.22, 8, 3)
    pairs = np.concatenate([triangles[:, [a, b]] for a, b in ((0, 1), (1, 2), (2, 0), (1, 0), (2, 1), (0, 2))])
    degree = np.maximum(np.bincount(pairs[:, 0], minlength=len(open_)), 1)
    for _ in range(2):  # takes the grain out
        open_ = 0.4 * open_ + 0.6 * np.bincount(pairs[:, 0], open_[pairs[:, 1]], len(open_)) / degree
    return open_.astype(np.float32)


def _lowest(positions: np.ndarray) -> float:
    """How high over the floor the lowest part of a dancer is: 0 while something stands or lies on it."""
    return max(0.0, float((positions[:, 1] - _CLEARANCES).min()))


_CLEARANCES = np.array([CLEARANCE.get(name.rpartition("_")[2], THICK) for name in JOINTS])


def _turn_of(piece: str, turned: np.ndarray) -> np.ndarray:
    """What a piece's folds and strands turn with [3, 3]."""
    joint = "head" if piece.startswith(PIECES_OF_HEAD) else "pelvis" if piece == "trousers" else "spine3"
    return AXES @ turned[INDEX[joint]] @ AXES.T


def _over(ground: np.ndarray, colour: np.ndarray, cover: np.ndarray) -> np.ndarray:
    """Lay a figure of linear light [H, W, 3], premultiplied by its cover [H, W], over a ground of bytes."""
    rows, columns = np.nonzero(cover.any(1))[0], np.nonzero(cover.any(0))[0]
    if not len(rows):
        return ground
    part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    share = cover[part][..., None]
    own = colour[part] / np.maximum(share, 1e-4)
    shown = _TONES[np.clip(own * (EXPOSURE * STEPS / BRIGHTEST), 0, STEPS).astype(np.uint16)]
    ground[part] = (shown * share + ground[part] * (1 - share) + 0.5).astype(np.uint8)
    return ground


STEPS, BRIGHTEST = 8191, 8.0


def _tones() -> np.ndarray:
    """Linear light to display values 0..255 with a soft shoulder, for each of the steps up to the brightest."""
    x = np.linspace(0, BRIGHTEST, STEPS + 1) * 0.62
    mapped = x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14)
    return (255 * np.clip(mapped, 0, 1) ** (1 / 2.2)).astype(np.float32)


_TONES = _tones()


def _square(moves: np.ndarray) -> np.ndarray:
    """Complete [N, 3, 4] moves to [N, 4, 4]."""
    return np.concatenate([moves, np.broadcast_to([[[0.0, 0, 0, 1]]], (len(moves), 1, 4))], axis=1)


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)
