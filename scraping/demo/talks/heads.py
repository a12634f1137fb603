"""A speaker's head: built and lit once, then drawn frame by frame with facial actions, head turns and glances.

Meshes and paint come from the studio and stay as they are; a frame moves vertices, by facial actions (the body's blend
shapes, carried into the pose) and by the bones of neck, head and eyes. Light is found once, at the vertices.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np

from inference.figure.body import Body
from inference.figure.mesh import Mesh
from inference.figure.raster import Lamp, Paint, Raster, bake
from inference.figure.rays import Camera, Scene
from inference.figure.shading import step
from scraping.demo import backdrops
from scraping.demo.looks import display
from scraping.demo.people import Light, Person, person
from scraping.demo.poses import about
from scraping.demo.studio import Studio

LOOK = "portrait"
TOUCH = 0.0004  # metres of gap that nobody sees: an eighth of a pixel in a picture of 160
SAMPLES = 3  # a side of a pixel
FACE_SHARE = 0.68  # of the picture's height, from chin to the top of the forehead
BONES = ("neck01", "neck02", "neck03", "head", "eye.L", "eye.R")
TURN_SHARES = (0.2, 0.2, 0.2, 0.4)  # of a head's turn, by bone from the lowest
LIGHT_RAYS = 10
SHOWN = 0.12  # of the picture: how far outside it triangles are still drawn, for heads move
INSIDE_MOUTH = ("mouth", "teeth", "tongue")
# least and most of the light that reaches what lids and lips shelter: their own shadows would put it out
SHELTERED = {"eye": (0.55, 1.0), "teeth": (0.34, 0.5), "tongue": (0.25, 0.5), "mouth": (0.1, 0.6)}
TEETH_IN, TEETH_BACK = 0.32, 0.0015  # share of their width; metres
TEETH_DOWN = {"teeth-upper": 0.0036, "teeth-lower": 0.0015}
TEETH_DARK = (0.020, 0.009)  # metres off the middle of the base mesh: from where on back teeth lie in the dark
YAWN = {"jawOpen": 0.5}  # at which light is let into the mouth, to be kept
COLUMNS = (-0.008, 0.0, 0.008)  # across the mouth, metres in the base mesh, where the lips' gap is measured
SPAN = 0.0026  # half a column
NECK = 0.45  # height in the base mesh below which nothing follows the head
FORWARD = (0.614, 0.80, -0.075)  # of the base mesh: the face is between these heights and ahead of this depth


@dataclass(frozen=True)
class Turn:
    """Where a head and its eyes are turned, in degrees: turn, nod, tilt of the head; turn and nod of the eyes."""

    turn: float = 0.0
    nod: float = 0.0
    tilt: float = 0.0
    eyes: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Face:
    """A face in a frame: where vertices are, and what is measured of its mouth."""

    vertices: np.ndarray  # [V, 3]
    gap: float  # metres between the inner lips; zero and less where they touch

    @property
    def touching(self) -> bool:
        return self.gap <= TOUCH


def sitter(seed: int) -> Person:
    """Draw the person of a seed as somebody who talks to the camera: facing it, with the lips closed."""
    drawn = person(seed, LOOK)
    rng = np.random.Generator(np.random.PCG64([seed, 404]))
    camera, body = (float(np.clip(rng.normal(0, spread), -2 * spread, 2 * spread)) for spread in (7, 9))
    facing = 0.85 * (camera - body)  # the head towards the camera, the eyes the rest of the way
    pose = replace(drawn.pose, turn=body, twist=0.0, head=(facing, 0.0, 0.0), gaze=(camera - body - facing, 0.0))
    frame = replace(drawn.framing, turn=camera, roll=0.0, shift=(0.0, 0.0))
    return replace(drawn, actions=(), expression="calm", pose=pose, framing=frame)


class Head:
    """Draws one speaker at one size."""

    def __init__(self, studio: Studio, subject: Person, edge: int) -> None:
        self.body, self.edge = studio.body, edge
        sitting = studio.sit(subject)
        self.posed, self.person = sitting.posed, subject
        meshes = [self._with_room(mesh) for mesh in sitting.scene.meshes]
        self.camera = self._camera()
        self._still = np.concatenate([mesh.vertices for mesh in meshes]).astype(np.float32)
        self._bind(meshes)
        keep = self._seen(meshes)
        self.paint = bake(meshes, sitting.materials, self.camera.eye, keep)
        self._raster = Raster(self.paint, edge, edge, SAMPLES)
        self.lamp = _lamp(subject.light, self.camera)
        self._light = self._lit(meshes, subject.light, subject.seed)
        self.floor = sitting.floor

    def _with_room(self, mesh: Mesh) -> Mesh:
        """Draw teeth in from the cheeks, and down to where the upper row shows when somebody speaks."""
        if not mesh.name.startswith("teeth"):
            return mesh
        right, behind, up = self.posed.transforms[self.body.bone["head"], :, :3].T
        away = mesh.vertices - mesh.vertices.mean(0)
        moved = mesh.vertices - TEETH_IN * (away @ right)[:, None] * right
        moved = moved + TEETH_BACK * behind - TEETH_DOWN[mesh.name] * up
        return replace(mesh, vertices=moved.astype(np.float32), normals=None)

    # What moves

    def _bind(self, meshes: list[Mesh]) -> None:
        """Tie vertices to facial actions and bones."""
        body = self.body
        count = len(self._still)
        self._weights = np.zeros((count, len(BONES)), np.float32)
        self._body_vertex = np.full(count, -1)
        bones = [body.bone[name] for name in BONES]
        names = [label.removeprefix("action:") for label in body.labels if label.startswith("action:")]
        self._action = {name: index for index, name in enumerate(names)}
        ends = np.cumsum([len(mesh.vertices) for mesh in meshes])
        for mesh, end in zip(meshes, ends, strict=True):
            place = slice(end - len(mesh.vertices), end)
            if mesh.name.startswith("hair"):
                self._weights[place, 3] = self._hair_share(mesh.vertices)
                continue
            cloth = not mesh.name.startswith(("skin", "eye", "lashes", *INSIDE_MOUTH))
            group = body.group("helper-tights") if cloth else _own(body, mesh.name)
            near = _nearest(mesh.chart[:, :3], body.template, np.unique(group))
            self._weights[place] = np.where(near[:, None] >= 0, body.weights[near][:, bones], 0)
            if not cloth:
                self._body_vertex[place] = near
        bound = np.flatnonzero(self._body_vertex >= 0)
        vertices = self._body_vertex[bound]
        shapes = np.stack([body.blend_shapes[body.row[f"action:{name}"]] for name in names]).reshape(len(names), -1, 3)
        lively = np.abs(shapes[:, vertices]).max((0, 2)) > 1e-5
        self._bound = bound[lively]
        vertices = vertices[lively]
        transforms = self.posed.transforms[:, :, :3].reshape(len(body.bones), 9)
        turned = (body.weights[vertices] @ transforms).reshape(-1, 3, 3)
        self._shapes = np.einsum("vij,avj->avi", turned, shapes[:, vertices]).reshape(len(names), -1).astype(np.float32)
        self._gap_shapes = shapes
        self._turning = np.flatnonzero(self._weights.any(1))

    def _hair_share(self, vertices: np.ndarray) -> np.ndarray:
        """Hair [N] follows the head down to the jaw and lies still on the shoulders."""
        low, high = (self.posed.heads[self.body.bone[name]][2] for name in ("neck01", "head"))
        return step(low - 0.02, high, vertices[:, 2])

    def face(self, actions: Mapping[str, float], turn: Turn = Turn()) -> Face:
        """Move the face's vertices and measure the gap of the lips."""
        vertices = self._still.copy()
        weights = np.zeros(len(self._action), np.float32)
        for name, value in actions.items():
            weights[self._action[name]] = value
        vertices[self._bound] += (weights @ self._shapes).reshape(-1, 3)
        return Face(self._turned(vertices, turn), self.gap(actions))

    def _turned(self, vertices: np.ndarray, turn: Turn) -> np.ndarray:
        moves = self._moves(turn)
        chosen, weights = self._turning, self._weights[self._turning]
        here = vertices[chosen]
        moved = here.copy()
        for index, (rotation, shift) in enumerate(moves):
            moved += weights[:, index : index + 1] * (here @ (rotation - np.eye(3)).T + shift).astype(np.float32)
        vertices[chosen] = moved
        return vertices

    def _moves(self, turn: Turn) -> list[tuple[np.ndarray, np.ndarray]]:
        """Rotation [3, 3] and shift [3] of each of BONES against the built pose."""
        rotation, shift = np.eye(3), np.zeros(3)
        moves = []

        def turned_about(bone: str, local: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            centre = self.posed.heads[self.body.bone[bone]]
            return rotation @ local, rotation @ (centre - local @ centre) + shift

        for bone, share in zip(BONES, TURN_SHARES, strict=False):
            local = about("z", turn.turn * share) @ about("x", turn.nod * share) @ about("y", turn.tilt * share)
            rotation, shift = turned_about(bone, local)
            moves.append((rotation, shift))
        look = about("z", turn.eyes[0]) @ about("x", turn.eyes[1])
        return [*moves, *(turned_about(bone, look) for bone in BONES[4:])]

    # The mouth

    @cached_property
    def _lips(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Body vertices of the upper and the lower lip in each of COLUMNS."""
        body = self.body
        lips = (body.masks["lips"] > 0.5) & (np.arange(len(body.template)) < body.skin_vertices)
        drop = self._gap_shapes[self._action["jawOpen"], :, 2]
        lower = lips & (drop < 0.4 * drop[lips].min())  # what the jaw takes along
        columns = [np.abs(body.template[:, 0] - x) < SPAN for x in COLUMNS]
        return [(np.flatnonzero(lips & ~lower & at), np.flatnonzero(lower & at)) for at in columns]

    @cached_property
    def _gap_basis(self) -> list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
        """Heights at rest, and what each action adds to them, of upper and lower lips: the gap without the mesh."""
        shape = self.body.shape(dict(self.person.phenotype), dict(self.person.changes)).vertices[:, 2]
        height = self._gap_shapes[:, :, 2]
        return [(shape[up], height[:, up], shape[low], height[:, low]) for up, low in self._lips]

    def gap(self, actions: Mapping[str, float]) -> float:
        """Metres between the inner lips: the widest of COLUMNS; negative where they press upon each other."""
        rows = [self._action[name] for name in actions]
        weights = np.array(list(actions.values()))
        return max(
            float((upper + weights @ rise[rows]).min() - (lower + weights @ drop[rows]).max())
            for upper, rise, lower, drop in self._gap_basis
        )

    # The picture

    def _camera(self) -> Camera:
        frame = self.person.framing
        face = self.posed.vertices[self._ahead]
        low, high = face[:, 2].min(), face[:, 2].max()
        focal = self.edge / (2 * np.tan(np.radians(frame.field) / 2))
        distance = (high - low) / FACE_SHARE * focal / self.edge
        turn = np.radians(frame.turn)
        away = np.array([np.sin(turn), -np.cos(turn), 0.0])
        target = np.array([*face[:, :2].mean(0), 0.5 * (low + high) + 0.005])
        return Camera(target + distance * away + [0, 0, frame.height * 0.3], target, self.edge, self.edge, focal)

    @cached_property
    def _ahead(self) -> np.ndarray:
        low, high, depth = FORWARD
        place = self.body.template[: self.body.skin_vertices]
        return np.flatnonzero((place[:, 2] > low) & (place[:, 2] < high) & (place[:, 1] < depth))

    def _seen(self, meshes: list[Mesh]) -> list[np.ndarray]:
        """Which triangles [M] of each mesh may come into the picture."""
        keep = []
        for mesh in meshes:
            places, depth = self.camera.project(mesh.vertices)
            share = places / self.edge
            inside = ((share > -SHOWN) & (share < 1 + SHOWN)).all(1) & (depth > 0.1)
            keep.append(inside[mesh.triangles].any(1))
        return keep

    def _lit(self, meshes: list[Mesh], light: Light, seed: int) -> np.ndarray:
        """Shares [V, 2] of key light and sky; the mouth's inside is lit with the mouth open."""
        closed = self._shares(meshes, self._still, light, seed)
        opened = self._shares(meshes, self.face(YAWN).vertices, light, seed)
        named = np.concatenate([np.full(len(mesh.vertices), mesh.name.partition("-")[0]) for mesh in meshes])
        self._within = np.isin(named, INSIDE_MOUTH)
        shares = np.where(self._within[:, None], opened, closed)
        for name, (least, most) in SHELTERED.items():
            shares[named == name] = shares[named == name].clip(least, most)
        aside = np.abs(np.concatenate([mesh.chart[:, 0] for mesh in meshes]))
        shares *= np.where(named == "teeth", step(*TEETH_DARK, aside), 1.0)[:, None]
        return shares.astype(np.float32)

    def _shares(self, meshes: list[Mesh], vertices: np.ndarray, light: Light, seed: int) -> np.ndarray:
        ends = np.cumsum([len(mesh.vertices) for mesh in meshes])[:-1]
        moved = [
            replace(mesh, vertices=part, normals=None)
            for mesh, part in zip(meshes, np.split(vertices, ends), strict=True)
        ]
        scene = Scene(moved, device="cpu")
        used = np.unique(self.paint.triangles)
        position, normal = scene.vertices[used], scene.normals[used]
        shares = np.ones((len(vertices), 2), np.float32)
        shares[used, 0] = scene.light(position, normal, self.lamp.towards, light.softness, LIGHT_RAYS, seed % 65521)
        shares[used, 1] = scene.openness(position, normal, 0.22, LIGHT_RAYS, seed % 65521 + 1)
        return _evened(shares, self.paint)

    def picture(self, face: Face, turn: Turn, ground: np.ndarray, widest: float) -> np.ndarray:
        """Draw a face before a ground (linear RGB [H, W, 3]) as uint8 [H, W, 3]; `widest`: the largest gap of lips."""
        light = self._light.copy()
        light[self._within] *= 0.3 + 0.7 * np.clip(face.gap / widest, 0, 1) ** 0.5
        head = self._moves(turn)[3][0]
        turns = np.stack([head if name.startswith("hair") else np.eye(3) for name in self.paint.names])
        figure, cover = self._raster.draw(face.vertices, light, turns, self.camera, self.lamp)
        shown = display(figure + ground * (1 - cover), 0.95)
        return np.clip(shown * 255 + 0.5, 0, 255).astype(np.uint8)

    def ground(self, seed: int) -> np.ndarray:
        """What stands behind, linear RGB [H, W, 3], out of focus."""
        rng = np.random.Generator(np.random.PCG64([seed, 31]))
        place, _, kind = backdrops.place(rng, self.camera, self.floor)
        blurred = cv2.GaussianBlur(place, (0, 0), self.edge / 40)
        return (blurred * (0.7 if kind == "night" else 0.9)).astype(np.float32)

    def boxes(self, face: Face) -> tuple[list[float], list[float]]:
        """Boxes [x, y, width, height] in pixels of the lips and of the face."""
        return self._box(face, self._lip_places), self._box(face, self._face_places)

    def _box(self, face: Face, places: np.ndarray) -> list[float]:
        seen, _ = self.camera.project(face.vertices[places])
        low, high = seen.min(0), seen.max(0)
        return [round(float(value), 2) for value in (*low, *(high - low))]

    @cached_property
    def _lip_places(self) -> np.ndarray:
        chosen = self._body_vertex >= 0
        return np.flatnonzero(chosen & (self.body.masks["lips"][self._body_vertex] > 0.5))

    @cached_property
    def _face_places(self) -> np.ndarray:
        return np.flatnonzero(np.isin(self._body_vertex, self._ahead))


def _lamp(light: Light, camera: Camera) -> Lamp:
    """Directions of light as scraping/demo/looks.py sets them about the camera."""
    right, _, ahead = camera.axes()
    flat = ahead * [1, 1, 0] / np.hypot(ahead[0], ahead[1])
    turn, height, back = np.radians(light.turn), np.radians(light.height), np.radians(light.rim_turn)
    towards = np.cos(height) * (np.sin(turn) * right - np.cos(turn) * flat) + [0.0, 0.0, np.sin(height)]
    behind = np.sin(back) * right - np.cos(back) * ahead + [0, 0, 0.35]
    colours = [np.asarray(getattr(light, name)) for name in ("key", "sky", "ground", "rim")]
    return Lamp(towards, *colours[:3], behind / np.linalg.norm(behind), colours[3])


def _own(body: Body, name: str) -> np.ndarray:
    """Triangles of the base mesh that the studio made a piece of."""
    kind, *parts = name.split("-")
    groups = {
        "eye": "helper-{0}-eye",
        "lashes": "helper-{0}-eyelashes-{1}",
        "teeth": "helper-{0}-teeth",
        "tongue": "helper-tongue",
    }
    return body.group(groups.get(kind, "body").format(*parts))


def _nearest(places: np.ndarray, template: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """The candidate vertex nearest each place of the base mesh [N]; -1 below `NECK`."""
    result = np.full(len(places), -1)
    known = {place.tobytes(): vertex for place, vertex in zip(template[candidates], candidates, strict=True)}
    high = np.flatnonzero(places[:, 2] > NECK)
    result[high] = [known.get(place.tobytes(), -1) for place in places[high].astype(template.dtype)]
    new = high[result[high] < 0]  # halfway along a cut, or of cloth
    near = candidates[template[candidates, 2] > NECK - 0.03]
    far = (template[near] ** 2).sum(1) - 2 * places[new] @ template[near].T
    result[new] = near[far.argmin(1)]
    return result


def _evened(shares: np.ndarray, paint: Paint) -> np.ndarray:
    """Take the grain out of sampled light: the mean with neighbours along edges, twice."""
    pairs = np.concatenate([paint.triangles[:, [a, b]] for a, b in ((0, 1), (1, 2), (2, 0))])
    pairs = np.concatenate([pairs, pairs[:, ::-1]])
    degree = np.bincount(pairs[:, 0], minlength=len(shares))[:, None]
    for _ in range(2):
        near = np.stack([np.bincount(pairs[:, 0], shares[pairs[:, 1], k], len(shares)) for k in range(2)], axis=1)
        shares = 0.4 * shares + 0.6 * np.where(degree > 0, near / np.maximum(degree, 1), shares)
    return shares
