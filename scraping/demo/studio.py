"""The studio: builds a person's meshes, sets camera and light, and reads the truth off the geometry."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from inference.figure.body import Posed, load_body
from inference.figure.hair import Barber
from inference.figure.mesh import Mesh, cut
from inference.figure.rays import Camera, Scene
from inference.figure.shading import Material, eye, hair, linear, plain, skin
from inference.figure.wardrobe import Wardrobe
from inference.motion.points import COCO
from scraping.demo.people import Person
from scraping.demo.poses import rotations

SIZES = {"portrait": (288, 288), "fullbody": (256, 512), "fashion": (320, 480)}  # width, height
HEAD_SCALES = {"portrait": 1.0, "fullbody": 1.2, "fashion": 1.03}
MARGIN = 0.02  # of the picture, around whole figures and over heads
INSIDE = 0.16  # metres that a joint lies under what covers it


@dataclass(frozen=True)
class Sitting:
    """A person ready to be drawn."""

    person: Person
    scene: Scene
    materials: dict[str, Material]
    camera: Camera
    posed: Posed
    floor: float


class Studio:
    """What all pictures share: the body, the wardrobe and the barber. One a process."""

    def __init__(self, device: str | None = None) -> None:
        self.device = device
        self.body = load_body()
        self.wardrobe = Wardrobe(self.body)
        self.barber = Barber(self.body)

    @cached_property
    def skin_chart(self) -> np.ndarray:
        """Charts [V, 6] of the skin: place in the base mesh, UV, fingernails."""
        body = self.body
        first, last = body.groups["body"]
        uv = np.zeros((len(body.template), 2), np.float32)
        uv[body.triangles[first:last].ravel()] = body.triangle_uv[first:last].reshape(-1, 2)
        return np.column_stack([body.template, uv, body.masks["fingernails"]]).astype(np.float32)

    def sit(self, person: Person, scale: float = 1.0) -> Sitting:
        """Build the meshes and set the camera; `scale` multiplies the picture's size."""
        shape = self.body.shape(dict(person.phenotype), dict(person.changes))
        posed = self.body.pose(shape, rotations(person.pose, self.body, shape), dict(person.actions))
        posed = self._drawn_larger(posed, HEAD_SCALES[person.look])
        garments, materials, bare = self.wardrobe.dress(person.outfit, posed)
        obstacles = Scene([self._bust(posed), *garments], device=self.device) if person.hair.hangs else None
        locks = self.barber.grow(person.hair, posed, obstacles)
        meshes = [*self._head_and_skin(posed, bare), *garments, *locks]
        materials = {**materials, **self._skin_materials(person)}
        strand = hair(*person.hair_colours, person.hair.strand, person.hair.curl, person.hair.seed)
        materials |= {mesh.name: strand for mesh in locks}
        shoes = next(mesh for mesh in garments if mesh.name == "shoes")
        scene = Scene(meshes, device=self.device)
        return Sitting(
            person,
            scene,
            materials,
            self._camera(person, scene, posed, scale),
            posed,
            float(shoes.vertices[:, 2].min()),
        )

    def _drawn_larger(self, posed: Posed, scale: float) -> Posed:
        """Enlarge the head about the neck, as drawn characters have it."""
        centre = posed.heads[self.body.bone["neck03"]]
        grown = posed.vertices + (posed.vertices - centre) * (self._head_share * (scale - 1))[:, None]
        return replace(posed, vertices=grown.astype(np.float32))

    @cached_property
    def _head_share(self) -> np.ndarray:
        bones = [self.body.bone[name] for name in ("head", "eye.L", "eye.R")]
        half = [self.body.bone[name] for name in ("neck03",)]
        share = self.body.weights[:, bones].sum(1) + 0.5 * self.body.weights[:, half].sum(1)
        rest = slice(self.body.skin_vertices, None)
        share[rest] = np.where(self.body.template[rest, 2] > 0.64, 1.0, share[rest])  # eyes, teeth, lashes
        share[self.body.group("helper-tights").ravel()] *= 0.6
        return share

    def _bust(self, posed: Posed) -> Mesh:
        return Mesh("bust", posed.vertices, self.body.group("helper-tights"), self.skin_chart)

    def _head_and_skin(self, posed: Posed, bare: np.ndarray) -> list[Mesh]:
        triangles = self.body.group("body")
        inside = self.body.masks["inside-mouth"][triangles].min(1) > 0.5
        left = cut(triangles[~inside], bare)
        skin_ = Mesh("skin", left(posed.vertices), left.triangles, left(self.skin_chart))
        pieces = {"mouth": triangles[inside]}
        pieces |= {f"eye-{side}": self.body.group(f"helper-{side}-eye") for side in "lr"}
        pieces |= {
            f"lashes-{side}-{row}": self.body.group(f"helper-{side}-eyelashes-{row}") for side in "lr" for row in (1, 2)
        }
        pieces |= {
            "teeth-upper": self.body.group("helper-upper-teeth"),
            "teeth-lower": self.body.group("helper-lower-teeth"),
        }
        pieces["tongue"] = self.body.group("helper-tongue")
        return [skin_, *(_compact(name, faces, posed.vertices, self.skin_chart) for name, faces in pieces.items())]

    def _skin_materials(self, person: Person) -> dict[str, Material]:
        lash = plain(linear("#120d0b"), gloss=0.1)
        ball = eye(person.iris)
        return {
            "skin": skin(person.skin, self.body.lips_texture, self.body.lips_window),
            "mouth": plain(linear("#4a1516"), gloss=0.2),
            "eye-l": ball,
            "eye-r": ball,
            **{f"lashes-{side}-{row}": lash for side in "lr" for row in (1, 2)},
            "teeth-upper": plain(linear("#ece6da"), gloss=0.4, sharpness=40, wrap=0.3),
            "teeth-lower": plain(linear("#ddd6c8"), gloss=0.4, sharpness=40, wrap=0.3),
            "tongue": plain(linear("#a8484a"), gloss=0.3),
        }

    def _camera(self, person: Person, scene: Scene, posed: Posed, scale: float) -> Camera:
        width, height = (round(side * scale) for side in SIZES[person.look])
        frame = person.framing
        focal = height / (2 * np.tan(np.radians(frame.field) / 2))
        if person.look == "portrait":
            head = posed.vertices[self.barber.corners].reshape(-1, 3)
            low, high = posed.vertices[self._chin][:, 2].min(), head[:, 2].max()
            size = high - low
            target = np.array([*head[:, :2].mean(0), high - 0.75 * size])
        else:
            low, high = scene.vertices.min(0), scene.vertices.max(0)
            size, target = high[2] - low[2], 0.5 * (low + high)
        distance = size / frame.fill * focal / height
        turn = np.radians(frame.turn)
        away = np.array([np.sin(turn), -np.cos(turn), 0.0])
        place = target + distance * away + [0, 0, frame.height]
        shift = (frame.shift[0] * width, frame.shift[1] * height)
        camera = Camera(place, target, width, height, focal, np.radians(frame.roll), shift)
        return _head_kept(camera, scene) if person.look == "portrait" else _whole_kept(camera, scene)

    @cached_property
    def _chin(self) -> np.ndarray:
        place = self.body.template[: self.body.skin_vertices]
        return np.flatnonzero((place[:, 2] > 0.612) & (place[:, 2] < 0.63) & (place[:, 1] < -0.11))

    @cached_property
    def _face(self) -> np.ndarray:
        place = self.body.template[: self.body.skin_vertices]
        return np.flatnonzero((place[:, 2] > 0.614) & (place[:, 2] < 0.80) & (place[:, 1] < -0.075))

    @cached_property
    def _lips(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        place, lips = self.body.template, self.body.masks["lips"] > 0.5
        middle = lips & (np.abs(place[:, 0]) < 0.007)
        return (
            np.flatnonzero(middle & (place[:, 2] > 0.663)),
            np.flatnonzero(middle & (place[:, 2] < 0.658)),
            np.flatnonzero(lips),
        )

    def mouth_open(self, posed: Posed) -> float:
        """Opening of the mouth over its width; 0 closed, about 0.5 wide open."""
        upper, lower, lips = self._lips
        gap = lambda points: np.linalg.norm(points[upper].mean(0) - points[lower].mean(0))  # noqa: E731
        closed = gap(self.body.template) / np.ptp(self.body.template[lips][:, 0])
        return float(max(0.0, gap(posed.rest) / np.ptp(posed.rest[lips][:, 0]) - closed))

    def truth(self, sitting: Sitting, mask: np.ndarray) -> dict[str, object]:
        """Read box, face box, keypoints and mouth off the geometry, as shares of the picture; mask [H, W] in 0..1."""
        camera = sitting.camera
        size = np.array([camera.width, camera.height])
        rows, columns = np.nonzero(mask >= 0.5)
        box = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]) / np.r_[size, size]
        face, _ = camera.project(sitting.posed.vertices[self._face])
        face_box = np.clip(np.r_[face.min(0), face.max(0)] / np.r_[size, size], 0, 1)
        joints = np.stack([self.body.keypoints[name] @ sitting.posed.vertices for name in COCO])
        places, _ = camera.project(joints)
        first, where = sitting.scene.cast(camera, places)
        far = np.linalg.norm(joints - camera.eye, axis=1)
        inside = ((places >= 0) & (places < size)).all(1)
        visible = inside & (first >= 0) & (where[:, 2] > far - INSIDE)
        return {
            "box": [round(float(v), 5) for v in box],
            "face_box": [round(float(v), 5) for v in face_box] if np.prod(face_box[2:] - face_box[:2]) > 0 else None,
            "keypoints": {
                name: [round(float(x), 5), round(float(y), 5), int(seen)]
                for name, (x, y), seen in zip(COCO, places / size, visible, strict=True)
            },
            "mouth_open": round(self.mouth_open(sitting.posed), 4),
        }


def _head_kept(camera: Camera, scene: Scene) -> Camera:
    """Lower the picture's figure, and step back a little where that is not enough, so that no hair is cut off."""
    top = camera.project(scene.vertices)[0][:, 1].min()
    lower = np.clip(MARGIN * camera.height - top, 0, 0.08 * camera.height)
    camera = replace(camera, shift=(camera.shift[0], camera.shift[1] + lower))
    if top + lower < MARGIN * camera.height - 1:
        camera = replace(camera, focal=camera.focal * 0.88)
    return camera


def _whole_kept(camera: Camera, scene: Scene) -> Camera:
    """Step back where limbs come nearer than they may, and move the figure inside the margins."""
    size = np.array([camera.width, camera.height])
    places, _ = camera.project(scene.vertices)
    zoom = min(1.0, *((1 - 2 * MARGIN) * size / np.ptp(places, axis=0)))
    camera = replace(camera, focal=camera.focal * zoom)
    places, _ = camera.project(scene.vertices)
    move = np.maximum(MARGIN * size - places.min(0), 0) - np.maximum(places.max(0) - (1 - MARGIN) * size, 0)
    return replace(camera, shift=(camera.shift[0] + float(move[0]), camera.shift[1] + float(move[1])))


def _compact(name: str, triangles: np.ndarray, vertices: np.ndarray, chart: np.ndarray) -> Mesh:
    used, corners = np.unique(triangles, return_inverse=True)
    return Mesh(name, vertices[used], corners.reshape(-1, 3).astype(np.int32), chart[used])
