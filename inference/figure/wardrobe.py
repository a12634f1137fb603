"""Garments, cut from the helper geometry of the base mesh, which follows every shape and pose.

A garment is a field over the base mesh (positive where the cloth is): the same field cuts the cloth out of the
`helper-tights` or `helper-skirt` and hides the skin beneath, so that nothing can poke through. Heights are those of
the base mesh, in metres: neck 0.58, waist 0.15, crotch -0.02, knee -0.37, ankle -0.75, sole -0.82.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from inference.figure.body import Body, Posed
from inference.figure.cloth import Cloth, cloth
from inference.figure.mesh import Cut, Mesh, cut, smooth_normals, smoothed
from inference.figure.rays import Hits
from inference.figure.shading import Material, Surface, mix, noise, step

SLEEVES = {"none": -0.02, "cap": 0.05, "short": 0.15, "elbow": 0.25, "three-quarter": 0.35, "long": 0.44}
NECKLINES = ("crew", "v", "scoop", "boat", "roll")
TUCK = 0.035  # metres of skin kept under a hem or cuff, where one may look in
SKIN_ALWAYS_HIDDEN = (-0.16, 0.44)  # heights of the torso and hips between which no skin is ever drawn


@dataclass(frozen=True)
class Top:
    """Shirt, T-shirt, sweater, blouse, jacket or the upper half of a dress or coat."""

    cloth: Cloth
    sleeve: str
    neckline: str
    hem: float  # height
    loose: float  # metres off the body
    opening: float = 0.0  # half width of an open front
    collar: bool = False


@dataclass(frozen=True)
class Trousers:
    """Trousers, or shorts, by the height of the hem."""

    cloth: Cloth
    hem: float
    width: float  # 0 tight .. 1 wide
    waist: float = 0.15


@dataclass(frozen=True)
class Skirt:
    """A skirt, or the lower half of a dress or coat."""

    cloth: Cloth
    hem: float
    flare: float
    pleats: float
    opening: float = 0.0
    loose: float = 0.0


@dataclass(frozen=True)
class Shoes:
    """Shoes up to a height: flats, trainers, boots."""

    cloth: Cloth
    sole: tuple[float, float, float]
    top: float  # height above which the leg begins
    thick: float  # metres of sole


@dataclass(frozen=True)
class Outfit:
    """All that a person wears, from inside out. Torso and hips are covered by construction: see `Outfit.check`."""

    tops: tuple[Top, ...]
    legs: Trousers | None
    skirt: Skirt | None
    shoes: Shoes
    belt: Cloth | None = None
    stockings: Cloth | None = None
    coat_skirt: Skirt | None = None

    def check(self) -> None:
        """Refuse what would not dress a person: a closed top and something closed over hips and thighs."""
        inner = self.tops[0]
        closed_below = (self.legs and self.legs.hem <= -0.2) or (
            self.skirt and self.skirt.opening == 0 and self.skirt.hem <= -0.25
        )
        waist = self.legs.waist if self.legs else 0.15
        if inner.opening or inner.neckline not in NECKLINES or inner.hem > waist - 0.02 or not closed_below:
            raise ValueError(f"{self} does not cover torso and hips")


@dataclass(frozen=True)
class Where:
    """Places on the base mesh that fields are made of. V vertices."""

    place: np.ndarray  # [V, 3] in the base mesh
    arm: np.ndarray  # [V] metres along the arm from the shoulder, 0.45 at the wrist
    share: np.ndarray  # [V] of arm bones

    def band(self, low: float, high: float) -> np.ndarray:
        return np.minimum(self.place[:, 2] - low, high - self.place[:, 2])

    def legs(self, hem: float, waist: float, tuck: float = 0.0) -> np.ndarray:
        """Field of trousers, stockings, shorts; `tuck` takes off the hem."""
        return np.minimum(self.band(hem + tuck, waist), 0.3 - self.share)

    def top(self, top: Top, tuck: float = 0.0) -> np.ndarray:
        """Field of what covers the torso and, as far as its sleeves reach, the arms; `tuck` takes off the hems."""
        x, y, z = np.abs(self.place[:, 0]), self.place[:, 1], self.place[:, 2]
        front = step(0.0, -0.05, y)
        rise = {
            "crew": 0.548 + 0.15 * x,
            "v": 0.468 + 1.5 * x,
            "scoop": 0.495 + 12.0 * x * x,
            "boat": 0.535 + 0.1 * x,
            "roll": 0.607 + 0 * x,
        }[top.neckline]
        back = 0.607 if top.neckline == "roll" else 0.578
        neck = back + (np.minimum(rise, back + 0.01) - back) * front - z + np.maximum(x - 0.085, 0) * 4.0
        field = np.minimum(np.minimum(z - top.hem - tuck, neck), SLEEVES[top.sleeve] - tuck * (self.arm > 0) - self.arm)
        if top.opening:
            gap = x - top.opening * (0.55 + 0.6 * step(0.3, 0.5, z))
            field = np.minimum(field, np.where(y < -0.02, gap, 1.0))
        return field

    def collar(self) -> np.ndarray:
        x, y, z = np.abs(self.place[:, 0]), self.place[:, 1], self.place[:, 2]
        split = np.where(y < -0.03, x - 0.010 - 0.5 * np.clip(z - 0.55, 0, 1), 1.0)
        return np.minimum(np.minimum(self.band(0.546, 0.592), 0.085 - x), split)

    def shoes(self, shoes: Shoes) -> np.ndarray:
        y = self.place[:, 1]
        instep = 0.03 * step(-0.02, -0.08, y) * step(-0.175, -0.14, y) if shoes.top < -0.75 else 0.0
        return shoes.top - instep - self.place[:, 2]


class Wardrobe:
    """Cuts garments for a body; what depends on the base mesh alone is kept."""

    def __init__(self, body: Body) -> None:
        self.body = body
        arm, share = _arm_coordinate(body)
        self.skin = Where(body.template, arm, share)
        self.tights_pairs, self.tights = _subdivided(body.group("helper-tights"))
        self.cloth = Where(*(_paired(values, self.tights_pairs) for values in (body.template, arm, share)))
        self.skirt_pairs, self.skirt_triangles = _subdivided(body.group("helper-skirt"))
        self._cuts: dict[object, Cut] = {}

    def dress(self, outfit: Outfit, posed: Posed) -> tuple[list[Mesh], dict[str, Material], np.ndarray]:
        """Make the garments: meshes, materials by name, and a field [V] that is positive where skin stays bare."""
        outfit.check()
        shell = _Shell(posed, self)
        meshes, materials = [], {}
        bare = np.full(len(self.body.template), 1.0)

        def add(mesh: Mesh, material: Material, hides: np.ndarray | None) -> None:
            meshes.append(mesh)
            materials[mesh.name] = material
            if hides is not None:
                np.minimum(bare, 0.016 - hides, out=bare)

        for layer, top in enumerate(outfit.tops):
            # an open front shows what is beneath: only a closed garment hides skin
            over = outfit.tops[layer + 1 :]
            add(self._top(top, over, shell, layer), cloth(top.cloth), None if top.opening else self.skin.top(top, TUCK))
            if top.collar:
                add(self._collar(top, shell, layer), cloth(top.cloth), None)
        if outfit.legs:
            hides = self.skin.legs(outfit.legs.hem, outfit.legs.waist, TUCK)
            add(self._legs(outfit.legs, outfit.tops, shell), cloth(outfit.legs.cloth), hides)
        if outfit.stockings:
            top = outfit.skirt.hem + 0.05 if outfit.skirt else -0.02  # no higher, or they would show through the skirt
            mesh = self._shelled("stockings", top, shell, self.cloth.legs(-0.9, top), 0.002)
            add(mesh, cloth(outfit.stockings), self.skin.legs(-0.9, top))
        for name, skirt in (("skirt", outfit.skirt), ("coat-skirt", outfit.coat_skirt)):
            if skirt:
                hides = None if skirt.opening else self.skin.legs(skirt.hem + 0.05, 0.13)
                add(self._skirt(name, skirt, posed), cloth(skirt.cloth), hides)
        if outfit.belt:
            over = max(1.6 * top.loose for top in outfit.tops if not top.opening) + 0.010
            field = np.minimum(self.cloth.band(0.125, 0.165), 0.3 - self.cloth.share)
            add(self._shelled("belt", None, shell, field, over, rounds=4), cloth(outfit.belt), None)
        add(self._shoes(outfit.shoes, shell), shoe(outfit.shoes), self.skin.shoes(outfit.shoes))
        return meshes, materials, np.where(self.always_hidden, -0.05, bare)

    @property
    def always_hidden(self) -> np.ndarray:
        """Vertices [V] of torso and hips that are never drawn as skin, whatever is worn."""
        low, high = SKIN_ALWAYS_HIDDEN
        return (self.skin.band(low, high) > 0) & (self.skin.share < 0.3)

    def _beneath(self, field: np.ndarray, tops: Sequence[Top]) -> np.ndarray:
        """Take off a field what lies well under tops worn over it, so that nothing pokes through them."""
        for top in tops:
            field = np.minimum(field, 0.018 - self.cloth.top(top))
        return field

    def _cut(self, key: object, triangles: np.ndarray, field: np.ndarray) -> Cut:
        if key not in self._cuts:
            if len(self._cuts) > 64:
                self._cuts.clear()
            self._cuts[key] = cut(triangles, field)
        return self._cuts[key]

    def _chart(self, piece: Cut) -> np.ndarray:
        where = self.cloth
        blank = np.zeros(len(piece.share))
        return np.column_stack([piece(where.place), piece(where.arm), piece(where.share), blank]).astype(np.float32)

    def _shelled(self, name: str, key: object, shell: "_Shell", field: np.ndarray, off: float, rounds: int = 0) -> Mesh:
        piece = self._cut((name, key), self.tights, field)
        vertices = piece(shell.vertices) + piece(shell.normals) * off
        if rounds:
            vertices = smoothed(vertices, piece.triangles, rounds, hold=piece.share > 0)
        return Mesh(name, vertices, piece.triangles, self._chart(piece))

    def _top(self, top: Top, over: Sequence[Top], shell: "_Shell", layer: int) -> Mesh:
        name = f"top-{layer}"
        piece = self._cut((name, top, *over), self.tights, self._beneath(self.cloth.top(top), over))
        chart = self._chart(piece)
        normals = piece(shell.normals)
        vertices = piece(shell.vertices) + normals * 0.004
        torso = np.clip(1 - chart[:, 4] * 1.2, 0, 1)[:, None] * min(1.0, top.loose / 0.012)
        draped = smoothed(vertices, piece.triangles, 12, hold=piece.share > 0)
        vertices = vertices + (draped - vertices) * torso * step(0.52, 0.44, chart[:, 2])[:, None]
        hang = step(0.4, 0.1, chart[:, 2]) * (1 - chart[:, 4])  # looser towards the hem
        cuff = step(0.10, 0.4, chart[:, 3]) * chart[:, 4]
        off = top.loose * (0.55 + 0.7 * hang + 0.5 * cuff) * (1 - 0.45 * step(0.40, 0.54, chart[:, 2]))
        off = off + 0.009 * step(0.08, 0.02, chart[:, 2]) * (1 - chart[:, 4])  # over what is worn below
        off = np.maximum(off, 0.007) + 0.3 * top.loose * noise(chart[:, :3] * [1, 1, 0.6], 9.0, top.cloth.seed)
        return Mesh(name, (vertices + normals * off[:, None]).astype(np.float32), piece.triangles, chart)

    def _collar(self, top: Top, shell: "_Shell", layer: int) -> Mesh:
        piece = self._cut("collar", self.tights, self.cloth.collar())
        chart = self._chart(piece)
        rise = np.clip((chart[:, 2] - 0.546) / 0.046, 0, 1)
        off = top.loose * (1 - 0.4 * rise) + 0.004 + 0.004 * np.sin(rise * 3.1)
        vertices = smoothed(piece(shell.vertices) + piece(shell.normals) * off[:, None], piece.triangles, 3)
        return Mesh(f"collar-{layer}", vertices, piece.triangles, chart)

    def _legs(self, legs: Trousers, tops: Sequence[Top], shell: "_Shell") -> Mesh:
        over = [top for top in tops if top.hem < legs.waist - 0.05]
        field = self._beneath(self.cloth.legs(legs.hem, legs.waist), over)
        piece = self._cut(("legs", legs, *over), self.tights, field)
        chart = self._chart(piece)
        vertices, normals = piece(shell.vertices), piece(shell.normals)
        # cloth spans from thigh to thigh and does not follow the body between them
        span = step(0.10, 0.06, np.abs(chart[:, 0])) * step(-0.14, -0.08, chart[:, 2]) * step(0.10, 0.04, chart[:, 2])
        draped = smoothed(vertices, piece.triangles, 14, hold=piece.share > 0)
        vertices = vertices + (draped - vertices) * span[:, None]
        radial = vertices - piece(shell.leg_axis)
        below = step(0.0, -0.7, chart[:, 2])
        thigh = step(0.05, -0.15, chart[:, 2])
        wide = legs.width * (0.12 * thigh + 0.75 * below)
        wide = wide + 0.035 * thigh * noise(chart[:, :3] * [1, 1, 0.8], 12.0, legs.cloth.seed)
        off = 0.006 + 0.004 * thigh + 0.010 * span
        vertices = vertices + radial * wide[:, None] + normals * off[:, None]
        return Mesh("trousers", vertices.astype(np.float32), piece.triangles, chart)

    def _skirt(self, name: str, skirt: Skirt, posed: Posed) -> Mesh:
        points = _paired(posed.vertices, self.skirt_pairs)
        place = _paired(self.body.template, self.skirt_pairs)
        field = place[:, 2] - skirt.hem
        if skirt.opening:
            gap = np.abs(place[:, 0]) - skirt.opening * (1 + 1.2 * (0.15 - place[:, 2]))
            field = np.minimum(field, np.where(place[:, 1] < 0.0, gap, 1.0))
        piece = self._cut((name, skirt.hem, skirt.opening), self.skirt_triangles, field)
        place, vertices = piece(place), piece(points)
        depth = np.clip(0.17 - place[:, 2], 0, 1)
        around = np.arctan2(place[:, 0], -place[:, 1] - 0.016)
        radial = vertices[:, :2] - posed.heads[self.body.bone["spine05"]][:2]
        radial /= np.maximum(np.linalg.norm(radial, axis=1, keepdims=True), 1e-6)
        wave = np.sin(around * 17 + 2.2 * np.sin(around * 3 + skirt.cloth.seed)) + 0.5 * np.sin(around * 29)
        out = skirt.loose + 0.008 + (skirt.flare - 0.1) * depth + 0.045 * skirt.pleats * wave * depth
        vertices = np.column_stack([vertices[:, :2] + radial * out[:, None], vertices[:, 2]])
        flat = np.column_stack([around * 0.16, place[:, 1:], np.zeros((len(place), 3))])
        return Mesh(name, vertices.astype(np.float32), piece.triangles, flat.astype(np.float32))

    def _shoes(self, shoes: Shoes, shell: "_Shell") -> Mesh:
        piece = self._cut(("shoes", shoes.top), self.tights, self.cloth.shoes(shoes))
        chart = self._chart(piece)
        vertices = piece(shell.vertices) + piece(shell.normals) * 0.007
        vertices[:, 2] -= shoes.thick * step(-0.80, -0.815, chart[:, 2])
        chart[:, 5] = step(-0.795, -0.801, chart[:, 2])
        return Mesh("shoes", vertices.astype(np.float32), piece.triangles, chart)


class _Shell:
    """The posed tights: vertices, normals, and for each vertex the nearest point of its leg's axis."""

    def __init__(self, posed: Posed, wardrobe: Wardrobe) -> None:
        body, place = wardrobe.body, wardrobe.cloth.place
        self.vertices = _paired(posed.vertices, wardrobe.tights_pairs)
        self.normals = smooth_normals(self.vertices, wardrobe.tights)
        bones = ("upperleg01", "lowerleg01", "foot")
        joints = np.array([[posed.heads[body.bone[f"{bone}.{side}"]] for bone in bones] for side in "LR"])  # [2, 3, 3]
        side = np.where(place[:, 0] > 0, 0, 1)
        down = np.interp(-place[:, 2], [-0.05, 0.369, 0.745], [0.0, 1.0, 2.0])
        upper = np.minimum(down.astype(int), 1)
        share = (down - upper)[:, None]
        self.leg_axis = joints[side, upper] * (1 - share) + joints[side, upper + 1] * share


def _arm_coordinate(body: Body) -> tuple[np.ndarray, np.ndarray]:
    """Metres [V] along the arm from the shoulder (0.45 at the wrist), and the share [V] of arm bones in a vertex."""
    joints = [body.rest_head(f"{bone}.L") for bone in ("upperarm01", "lowerarm01", "wrist")]
    place = body.template * np.where(body.template[:, :1] < 0, [[-1, 1, 1]], [[1, 1, 1]])
    upper, lower = joints[1] - joints[0], joints[2] - joints[1]
    on_upper = (place - joints[0]) @ (upper / np.linalg.norm(upper))
    on_lower = (place - joints[1]) @ (lower / np.linalg.norm(lower))
    along = np.where(on_upper < np.linalg.norm(upper), on_upper, np.linalg.norm(upper) + np.maximum(on_lower, 0))
    arms = [
        i for i, bone in enumerate(body.bones) if bone.startswith(("upperarm", "lowerarm", "wrist", "finger", "meta"))
    ]
    share = np.clip(body.weights[:, arms].sum(1) * 1.3, 0, 1)
    return np.where(share > 0.15, along, np.minimum(along, -0.04)).astype(np.float32), share.astype(np.float32)


def _subdivided(triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split each triangle in four. Returns the pair of old vertices [N, 2] that each new one halves, and triangles."""
    pairs: dict[tuple[int, int], int] = {}
    index = lambda a, b: pairs.setdefault((min(a, b), max(a, b)), len(pairs))  # noqa: E731
    new = []
    for a, b, c in triangles.tolist():
        corner = [index(a, a), index(b, b), index(c, c)]
        ab, bc, ca = index(a, b), index(b, c), index(c, a)
        new += [[corner[0], ab, ca], [ab, corner[1], bc], [ca, bc, corner[2]], [ab, bc, ca]]
    return np.array(list(pairs)), np.array(new, np.int32)


def _paired(values: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    return 0.5 * (values[pairs[:, 0]] + values[pairs[:, 1]])


def shoe(made: Shoes) -> Material:
    """A shoe with its sole."""
    upper = cloth(made.cloth)

    def material(hits: Hits) -> Surface:
        result = upper(hits)
        albedo = mix(result.albedo, np.asarray(made.sole), step(0.35, 0.65, hits.chart[:, 5]))
        return Surface(albedo, hits.normal, result.gloss + 0.1, result.sharpness, result.wrap, result.glint)

    return material
