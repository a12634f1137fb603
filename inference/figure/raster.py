"""A moving figure drawn fast: triangles filled into a depth buffer, painted from a table and lit by light found before.

Rays (rays.py, picture.py) ask every sample's material and trace its light, a second a picture. Where meshes keep their
topology from frame to frame, materials are asked once (`bake`), light is kept at vertices, and a frame at 320x320
samples takes some 10 ms of one core. Warp compiles the loops; they run on the CPU, in one order, so that the same
input gives the same bytes.

V vertices, T triangles, P pieces, S samples; a triangle holds LATTICE points of paint.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import warp as wp

from inference.figure.mesh import Mesh, with_normals
from inference.figure.rays import Camera, Hits, default_device
from inference.figure.shading import Material

FINENESS = 4  # steps of paint along a triangle's side
LATTICE = (FINENESS + 1) * (FINENESS + 2) // 2
NEAR = 0.05  # metres before the camera where drawing begins
FAR = 1.0e9  # metres where nothing is


@dataclass(frozen=True)
class Lamp:
    """A key light, sky and ground, and a light from behind; linear RGB and unit directions in the world."""

    towards: np.ndarray  # [3] the key light
    key: np.ndarray
    sky: np.ndarray
    ground: np.ndarray
    behind: np.ndarray  # [3] towards the light from behind
    rim: np.ndarray


@dataclass(frozen=True)
class Paint:
    """Meshes joined, with what their materials say at every triangle's lattice."""

    names: list[str]
    starts: np.ndarray  # [P + 1] first vertex of each piece
    triangles: np.ndarray  # [T, 3]
    piece: np.ndarray  # [T]
    table: np.ndarray  # [T * LATTICE, 8] albedo, gloss, the bump on the normal (3), glint
    wrap: np.ndarray  # [P, 3]
    sharpness: np.ndarray  # [P]

    def vertices(self, name: str) -> slice:
        """Where a piece's vertices stand among all."""
        index = self.names.index(name)
        return slice(int(self.starts[index]), int(self.starts[index + 1]))


def bake(
    meshes: Sequence[Mesh], materials: Mapping[str, Material], eye: np.ndarray, keep: Sequence[np.ndarray]
) -> Paint:
    """Ask materials what the kept triangles (bool [M] a mesh) of meshes look like, seen from an eye [3]."""
    meshes = [with_normals(mesh) for mesh in meshes]
    starts = np.cumsum([0, *[len(mesh.vertices) for mesh in meshes]])
    triangles, piece, tables, wrap, sharpness = [], [], [], [], []
    for index, (mesh, kept) in enumerate(zip(meshes, keep, strict=True)):
        chosen = mesh.triangles[kept]
        rows, creep, exponent = _ask(mesh, chosen, materials[mesh.name], eye)
        triangles.append(chosen + starts[index])
        piece.append(np.full(len(chosen), index))
        tables.append(rows)
        wrap.append(creep)
        sharpness.append(exponent)
    return Paint(
        [mesh.name for mesh in meshes],
        starts,
        np.concatenate(triangles).astype(np.int32),
        np.concatenate(piece).astype(np.int32),
        np.concatenate(tables).astype(np.float32),
        np.array(wrap, np.float32),
        np.array(sharpness, np.float32),
    )


def _ask(
    mesh: Mesh, triangles: np.ndarray, material: Material, eye: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """A mesh's rows of the table [M * LATTICE, 8], its wrap [3] and its highlight's exponent."""
    if not len(triangles):
        return np.zeros((0, 8), np.float32), np.zeros(3), 1.0
    first, second = np.divmod(np.arange((FINENESS + 1) ** 2), FINENESS + 1)
    inside = first + second <= FINENESS
    share = np.column_stack([first, second, FINENESS - first - second])[inside] / np.float32(FINENESS)

    def spread(values: np.ndarray) -> np.ndarray:
        return np.einsum("lk,mkc->mlc", share, values[triangles]).reshape(-1, values.shape[1]).astype(np.float32)

    position, normal = spread(mesh.vertices), spread(mesh.normals)
    toward = eye.astype(np.float32) - position
    distance = np.linalg.norm(toward, axis=1)
    toward /= distance[:, None]
    flat = np.linalg.norm(normal, axis=1)
    normal = np.where(flat[:, None] > 1e-6, normal / np.maximum(flat, 1e-6)[:, None], toward)  # collapsed triangles
    count = np.arange(len(position))
    owner = np.repeat(np.arange(len(triangles)), LATTICE)
    hits = Hits(
        count,
        owner,
        np.zeros(len(count), int),
        position,
        normal,
        toward / distance[:, None],
        spread(mesh.chart),
        distance,
    )
    made = material(hits)
    rows = np.column_stack([made.albedo, made.gloss, made.normal - normal, made.glint])
    return rows, made.wrap[0], float(made.sharpness[0])


class Raster:
    """Draws frames of baked meshes, each pixel the mean of `samples` x `samples`.

    With `alike` metres, samples of a pixel on one piece that lie no deeper apart are lit once: three times as fast
    where a figure is small, and only paint finer than a pixel looks coarser.
    """

    def __init__(self, paint: Paint, width: int, height: int, samples: int, alike: float = -1.0) -> None:
        default_device()  # starts warp
        self.paint, self.width, self.height, self.samples, self.alike = paint, width, height, samples, alike
        fine = (height * samples, width * samples)
        self._triangles = _array(paint.triangles, wp.int32)
        self._piece = _array(paint.piece, wp.int32)
        self._table = _array(paint.table, wp.float32)
        self._wrap = _array(paint.wrap, wp.vec3)
        self._sharpness = _array(paint.sharpness, wp.float32)
        self._normals = _array(np.zeros((int(paint.starts[-1]), 3)), wp.vec3)
        self._depth = _array(np.zeros(fine), wp.float32)
        self._face = _array(np.zeros(fine), wp.int32)
        self._share = _array(np.zeros((*fine, 2)), wp.vec2)
        self._colour = _array(np.zeros((height, width, 4)), wp.vec4)

    def draw(
        self, vertices: np.ndarray, light: np.ndarray, turns: np.ndarray, camera: Camera, lamp: Lamp
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw vertices [V, 3] under their light [V, 2] (key, sky); `turns` [P, 3, 3] are what pieces' bumps follow.

        Returns linear colour [H, W, 3], premultiplied by coverage [H, W, 1] in 0..1.
        """
        places, depth = camera.project(vertices)
        screen = _array(np.column_stack([places * self.samples, depth]), wp.vec3)
        points = _array(vertices, wp.vec3)
        wp.launch(_normals, dim=1, inputs=[points, self._triangles, self._normals], device="cpu")
        buffers = [self._depth, self._face, self._share]
        self._depth.fill_(FAR)
        self._face.fill_(-1)
        wp.launch(fill, dim=1, inputs=[screen, self._triangles, NEAR, *buffers], device="cpu")
        seen = [self.alike, self._depth, self._face, self._share]
        geometry = [self._triangles, points, self._normals, _array(light, wp.vec2)]
        look = [self._piece, self._table, self._wrap, self._sharpness, _array(turns, wp.mat33)]
        lights = [wp.vec3(*map(float, value)) for value in (*vars(lamp).values(), camera.eye)]
        inputs = [self.samples, *seen, *geometry, *look, *lights, self._colour]
        wp.launch(_paint, dim=(self.height, self.width), inputs=inputs, device="cpu")
        colour = self._colour.numpy()
        return colour[..., :3], colour[..., 3:]


def _array(values: np.ndarray, dtype: object) -> wp.array:
    plain = np.int32 if dtype == wp.int32 else np.float32
    return wp.array(np.ascontiguousarray(values, plain), dtype=dtype, device="cpu")


@wp.kernel
def _normals(points: wp.array(dtype=wp.vec3), triangles: wp.array2d(dtype=wp.int32), normals: wp.array(dtype=wp.vec3)):
    for v in range(normals.shape[0]):
        normals[v] = wp.vec3(0.0, 0.0, 0.0)
    for t in range(triangles.shape[0]):
        a = triangles[t, 0]
        b = triangles[t, 1]
        c = triangles[t, 2]
        face = wp.cross(points[b] - points[a], points[c] - points[a])
        normals[a] = normals[a] + face
        normals[b] = normals[b] + face
        normals[c] = normals[c] + face
    for v in range(normals.shape[0]):
        normals[v] = wp.normalize(normals[v])


@wp.kernel
def fill(
    screen: wp.array(dtype=wp.vec3),
    triangles: wp.array2d(dtype=wp.int32),
    near: float,
    depth: wp.array2d(dtype=wp.float32),
    face: wp.array2d(dtype=wp.int32),
    share: wp.array2d(dtype=wp.vec2),
):
    """Keep of each pixel the nearest triangle, its depth and the shares of its first two corners; none before near."""
    height = depth.shape[0]
    width = depth.shape[1]
    for t in range(triangles.shape[0]):
        a = screen[triangles[t, 0]]
        b = screen[triangles[t, 1]]
        c = screen[triangles[t, 2]]
        area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        if wp.abs(area) > 1.0e-8 and wp.min(a[2], wp.min(b[2], c[2])) > near:
            left = wp.max(int(wp.ceil(wp.min(a[0], wp.min(b[0], c[0])) - 0.5)), 0)
            right = wp.min(int(wp.floor(wp.max(a[0], wp.max(b[0], c[0])) - 0.5)), width - 1)
            top = wp.max(int(wp.ceil(wp.min(a[1], wp.min(b[1], c[1])) - 0.5)), 0)
            bottom = wp.min(int(wp.floor(wp.max(a[1], wp.max(b[1], c[1])) - 0.5)), height - 1)
            for y in range(top, bottom + 1):
                py = float(y) + 0.5
                for x in range(left, right + 1):
                    px = float(x) + 0.5
                    u = ((b[0] - px) * (c[1] - py) - (b[1] - py) * (c[0] - px)) / area
                    v = ((c[0] - px) * (a[1] - py) - (c[1] - py) * (a[0] - px)) / area
                    w = 1.0 - u - v
                    if u >= -1.0e-6 and v >= -1.0e-6 and w >= -1.0e-6:
                        z = u * a[2] + v * b[2] + w * c[2]
                        if z < depth[y, x]:
                            depth[y, x] = z
                            face[y, x] = t
                            share[y, x] = wp.vec2(u, v)


@wp.func
def _point(i: int, j: int):
    """Row of a lattice point: `i` steps towards the first corner, `j` towards the second."""
    return i * (FINENESS + 1) - (i * (i - 1)) / 2 + j


@wp.func
def _shade(
    t: int,
    u: float,
    v: float,
    triangles: wp.array2d(dtype=wp.int32),
    points: wp.array(dtype=wp.vec3),
    normals: wp.array(dtype=wp.vec3),
    light: wp.array(dtype=wp.vec2),
    piece: wp.array(dtype=wp.int32),
    table: wp.array2d(dtype=wp.float32),
    wrap: wp.array(dtype=wp.vec3),
    sharpness: wp.array(dtype=wp.float32),
    turns: wp.array(dtype=wp.mat33),
    towards: wp.vec3,
    key: wp.vec3,
    sky: wp.vec3,
    ground: wp.vec3,
    behind: wp.vec3,
    rim: wp.vec3,
    eye: wp.vec3,
):
    """Colour of a triangle's point."""
    w = 1.0 - u - v
    # paint: the three lattice points around
    fine = float(FINENESS)
    i = wp.min(int(u * fine), FINENESS - 1)
    j = wp.min(int(v * fine), FINENESS - 1 - i)
    fu = u * fine - float(i)
    fv = v * fine - float(j)
    near = _point(i, j)
    share_near = 1.0 - fu - fv
    share_first = fu
    share_second = fv
    if share_near < 0.0 and i + j + 2 <= FINENESS:
        near = _point(i + 1, j + 1)
        share_near = -share_near
        share_first = 1.0 - fv
        share_second = 1.0 - fu
    row = t * LATTICE
    one = row + near
    two = row + _point(i + 1, j)
    three = row + _point(i, j + 1)
    albedo = wp.vec3(0.0, 0.0, 0.0)
    bump = wp.vec3(0.0, 0.0, 0.0)
    for k in range(3):
        albedo[k] = table[one, k] * share_near + table[two, k] * share_first + table[three, k] * share_second
        bump[k] = table[one, k + 4] * share_near + table[two, k + 4] * share_first + table[three, k + 4] * share_second
    gloss = table[one, 3] * share_near + table[two, 3] * share_first + table[three, 3] * share_second
    glint = table[one, 7] * share_near + table[two, 7] * share_first + table[three, 7] * share_second
    # geometry
    a = triangles[t, 0]
    b = triangles[t, 1]
    c = triangles[t, 2]
    position = points[a] * u + points[b] * v + points[c] * w
    toward = wp.normalize(eye - position)
    p = piece[t]
    normal = wp.normalize(normals[a] * u + normals[b] * v + normals[c] * w) + turns[p] * bump
    if wp.dot(wp.cross(points[b] - points[a], points[c] - points[a]), toward) < 0.0:
        normal = -normal
    normal = wp.normalize(normal)
    reach = light[a] * u + light[b] * v + light[c] * w  # of the key light and of the sky
    # light, as scraping/demo/looks.py has it
    facing = wp.dot(normal, towards)
    up = (0.5 + 0.5 * normal[2]) * reach[1]
    half = wp.normalize(towards + toward)
    shine = gloss * wp.pow(wp.max(wp.dot(normal, half), 0.0), sharpness[p]) * reach[0] * 0.35
    graze = 1.0 - wp.max(wp.dot(normal, toward), 0.0)
    edge = wp.pow(wp.max(wp.dot(normal, behind), 0.0), 1.5) * (0.35 + graze * graze) * reach[1]
    result = wp.vec3(0.0, 0.0, 0.0)
    for k in range(3):
        diffuse = wp.clamp((facing + wrap[p][k]) / (1.0 + wrap[p][k]), 0.0, 1.0) * reach[0]
        ambient = sky[k] * up + ground[k] * (reach[1] - up) * 0.8
        result[k] = (
            albedo[k] * (diffuse * key[k] + ambient + 0.5 * edge * rim[k])
            + (shine + glint) * key[k] * 0.6
            + 0.06 * edge * rim[k]
        )
    return result


@wp.kernel
def _paint(
    samples: int,
    alike: float,
    depth: wp.array2d(dtype=wp.float32),
    face: wp.array2d(dtype=wp.int32),
    share: wp.array2d(dtype=wp.vec2),
    triangles: wp.array2d(dtype=wp.int32),
    points: wp.array(dtype=wp.vec3),
    normals: wp.array(dtype=wp.vec3),
    light: wp.array(dtype=wp.vec2),
    piece: wp.array(dtype=wp.int32),
    table: wp.array2d(dtype=wp.float32),
    wrap: wp.array(dtype=wp.vec3),
    sharpness: wp.array(dtype=wp.float32),
    turns: wp.array(dtype=wp.mat33),
    towards: wp.vec3,
    key: wp.vec3,
    sky: wp.vec3,
    ground: wp.vec3,
    behind: wp.vec3,
    rim: wp.vec3,
    eye: wp.vec3,
    colour: wp.array2d(dtype=wp.vec4),
):
    row, column = wp.tid()
    total = wp.vec3(0.0, 0.0, 0.0)
    covered = float(0.0)  # noqa: UP018 (warp: a variable, not a constant)
    last = int(-1.0)
    deep = float(0.0)  # noqa: UP018
    lit = wp.vec3(0.0, 0.0, 0.0)
    for down in range(samples):
        for right in range(samples):
            y = row * samples + down
            x = column * samples + right
            t = face[y, x]
            if t >= 0:
                u = wp.clamp(share[y, x][0], 0.0, 1.0)
                v = wp.clamp(share[y, x][1], 0.0, 1.0 - u)
                covered += 1.0
                again = True
                if last >= 0:
                    again = piece[t] != last or wp.abs(depth[y, x] - deep) > alike
                if again:
                    lit = _shade(
                        t, u, v, triangles, points, normals, light, piece, table, wrap, sharpness, turns,
                        towards, key, sky, ground, behind, rim, eye,
                    )  # fmt: skip
                    last = piece[t]
                    deep = depth[y, x]
                total += lit
    all_of = float(samples * samples)
    colour[row, column] = wp.vec4(total[0] / all_of, total[1] / all_of, total[2] / all_of, covered / all_of)
