"""Hair as shells over the scalp: a cap that follows the head, curtains that hang from it, buns, tails and braids.

The scalp is a map in directions around the head, found once on the base mesh; being tied to its triangles it follows
every head and pose. Nothing grows below the hairline, so a face stays free.
"""

from dataclasses import dataclass

import numpy as np

from inference.figure.body import Body, Posed
from inference.figure.mesh import Mesh
from inference.figure.rays import Scene
from inference.figure.shading import HEAD_CENTRE, hairline, noise, step

STYLES = (
    "buzz", "crop", "quiff", "side-part", "curls", "afro", "bob", "lob", "long", "waves", "ponytail", "bun", "braids",
)  # fmt: skip
TURNS, RINGS = 112, 40  # of the scalp map
LOWEST = np.radians(150.0)  # polar angle where the map ends
CAP_ROWS, HANG_ROWS = 30, 30
DOWN = np.array([0.0, 0.0, 1.0])  # metres to subtract


@dataclass(frozen=True)
class Hair:
    """A hair style and how it differs from others of its kind."""

    style: str
    volume: float  # 0.6 flat .. 1.4 full
    length: float  # 0 .. 1 within what the style allows
    part: float  # -1 right .. 1 left
    fringe: float  # 0 none .. 1 down to above the brows
    tuck: bool  # behind the ears
    seed: int

    @property
    def hangs(self) -> bool:
        """Whether it lies on neck, shoulders or clothes."""
        style = _STYLES[self.style]
        return bool(style.hang) or style.extra in ("ponytail", "braids")

    @property
    def strand(self) -> float:
        """Strands a radian."""
        return _STYLES[self.style].strand

    @property
    def curl(self) -> float:
        """How far a strand waves, in radians."""
        return _STYLES[self.style].curl


@dataclass(frozen=True)
class _Style:
    top: float  # metres of hair on the crown
    side: float
    front: float
    hang: float = 0.0  # metres below the ears at the longest
    hang_from: float = 0.0  # and at the shortest
    wave: float = 0.0
    bumps: float = 0.0
    strand: float = 62.0  # strands a radian
    curl: float = 0.008  # of each strand
    extra: str = ""


_STYLES = {
    "buzz": _Style(0.004, 0.003, 0.003, bumps=0.0006, strand=120),
    "crop": _Style(0.026, 0.011, 0.022, bumps=0.006),
    "quiff": _Style(0.028, 0.007, 0.042, bumps=0.005),
    "side-part": _Style(0.030, 0.016, 0.032, bumps=0.003),
    "curls": _Style(0.034, 0.028, 0.030, bumps=0.012, strand=26, curl=0.06),
    "afro": _Style(0.052, 0.044, 0.036, bumps=0.006, strand=30, curl=0.08),
    "bob": _Style(0.022, 0.020, 0.016, 0.105, 0.055),
    "lob": _Style(0.022, 0.020, 0.016, 0.19, 0.12, wave=0.5, curl=0.03),
    "long": _Style(0.018, 0.014, 0.012, 0.42, 0.24),
    "waves": _Style(0.024, 0.022, 0.016, 0.36, 0.20, wave=1.0, curl=0.05),
    "ponytail": _Style(0.013, 0.009, 0.010, extra="ponytail"),
    "bun": _Style(0.014, 0.010, 0.012, extra="bun"),
    "braids": _Style(0.015, 0.012, 0.010, curl=0.02, extra="braids"),
}


class Barber:
    """Grows hair on a body's head."""

    def __init__(self, body: Body) -> None:
        self.body = body
        turns = np.linspace(-np.pi, np.pi, TURNS, endpoint=False)  # 0 behind, +-pi ahead, positive to the left
        polar = np.linspace(0.0, LOWEST, RINGS)
        turn, angle = np.meshgrid(turns, polar, indexing="ij")
        away = np.stack([np.sin(angle) * np.sin(turn), np.sin(angle) * np.cos(turn), np.cos(angle)], axis=-1)
        away = away.reshape(-1, 3).astype(np.float32)
        skin = body.group("body")
        chart = np.zeros((len(body.template), 6), np.float32)
        scene = Scene([Mesh("skin", body.template, skin, chart)], device="cpu")
        face, where = scene.trace((HEAD_CENTRE + away * 0.17).astype(np.float32), -away)
        self.corners = skin[np.maximum(face, 0)]  # [TURNS * RINGS, 3]
        self.share = np.column_stack([where[:, 0], where[:, 1], 1 - where[:, 0] - where[:, 1]]).astype(np.float32)
        self.place = self._on(body.template)  # [TURNS, RINGS, 3]
        rim = self.place[..., 2] - hairline(self.place.reshape(-1, 3)).reshape(TURNS, RINGS)
        self.turns, self.polar = turns, polar
        self.rim = self._first_below(rim)
        # where hair leaves the head to hang: above the ears
        self.drop = self._first_below(self.place[..., 2] - 0.742)

    def _on(self, vertices: np.ndarray) -> np.ndarray:
        values = np.einsum("nkc,nk->nc", vertices[self.corners], self.share)
        return values.reshape(TURNS, RINGS, -1)

    def _first_below(self, height: np.ndarray) -> np.ndarray:
        """Polar angle [TURNS] at which a height [TURNS, RINGS] first falls under zero."""
        below = height < 0
        below[:, :6] = False
        ring = below.argmax(1)
        rows = np.arange(TURNS)
        a, b = height[rows, ring - 1], height[rows, ring]
        angle = self.polar[ring - 1] + (self.polar[1] - self.polar[0]) * np.clip(a / np.maximum(a - b, 1e-6), 0, 1)
        around = np.stack([np.roll(angle, shift) for shift in range(-7, 8)])  # a stray ray makes no spike
        return _circular_blur(np.median(around, axis=0), 1)

    def grow(self, hair: Hair, posed: Posed, obstacles: Scene | None) -> list[Mesh]:
        """Make the meshes of a hair style on a posed head; hanging hair lies upon the obstacles."""
        style = _STYLES[hair.style]
        head = _Head(self, posed)
        meshes = [self._cap(hair, style, head)]
        if style.hang:
            meshes = [self._curtain(hair, style, head, obstacles)]
        if style.extra == "bun":
            meshes.append(self._bun(hair, head))
        elif style.extra == "ponytail":
            meshes.append(self._tail(hair, head, obstacles))
        elif style.extra == "braids":
            meshes += [self._braid(hair, head, side, obstacles) for side in (-1, 1)]
        return meshes

    def _thickness(self, hair: Hair, style: _Style, turn: np.ndarray, along: np.ndarray) -> np.ndarray:
        """Metres of hair over the scalp, by turn and by the way from crown 0 to hairline 1."""
        ahead = step(np.radians(95), np.radians(150), np.abs(turn))
        beside = np.sin(np.abs(turn)) ** 2 * (1 - ahead)
        full = style.top + (style.side - style.top) * step(0.35, 0.9, along) * (1 - ahead)
        full = full + (style.front - style.top) * ahead * step(0.25, 0.85, along)
        if hair.style == "side-part":
            over = step(-0.35, 0.35, np.sin(turn) * np.sign(hair.part or 1))
            full = full * (0.55 + 0.7 * over * (1 - 0.4 * beside))
        edge = 1 - step(0.86, 1.0, along) * (0.97 if style.hang == 0 else 0.75)
        return full * hair.volume * edge + 0.0008

    def _locks(self, hair: Hair, style: _Style, turn: np.ndarray, along: np.ndarray) -> np.ndarray:
        """Bumps of locks, metres."""
        round_ = np.stack([np.sin(turn), np.cos(turn), along], axis=-1).reshape(-1, 3)
        if style.strand < 40:  # curls: as much up as around
            scattered = noise(round_ * [1, 1, 3.2], 7.0 if hair.style == "curls" else 10.0, hair.seed)
            fine = noise(round_ * [1, 1, 3.2], 24.0, hair.seed + 1)
            bumps = style.bumps * (scattered + 0.7 * fine)
        else:
            bumps = style.bumps * noise(round_ * [1, 1, 0.6], 6.5, hair.seed)
            bumps = bumps + (0.0016 + 0.10 * style.top) * noise(round_ * [1, 1, 0.35], 15.0, hair.seed + 1)
        return bumps.reshape(turn.shape) * step(0.0, 0.25, along)

    def _cap(self, hair: Hair, style: _Style, head: "_Head") -> Mesh:
        turn = np.repeat(self.turns[:, None], CAP_ROWS, 1)
        along = np.repeat(np.linspace(0, 1, CAP_ROWS)[None], TURNS, 0)
        rim = self._rim(hair, style)
        place, normal = head.at(turn, along * rim[:, None])
        off = self._thickness(hair, style, turn, along) + self._locks(hair, style, turn, along) * step(
            1.02, 0.85, along
        )
        lift = np.array([0, 0, 0.25 if hair.style == "quiff" else 0.0])
        vertices = place + (normal + lift) * off[..., None]
        return self._sheet("hair", vertices, self._strands(hair, style, turn, along), closed=True)

    def _rim(self, hair: Hair, style: _Style) -> np.ndarray:
        """Polar angle [TURNS] where the cap ends."""
        rim = self.rim.copy()
        ragged = noise(np.stack([np.sin(self.turns), np.cos(self.turns)], 1), 9.0, hair.seed + 5)
        if hair.fringe and style.top < 0.03 and style.extra == "":
            ahead = step(np.radians(128), np.radians(146), np.abs(self.turns))
            rim = rim + ahead * hair.fringe * np.radians(11 + 2.0 * ragged)
        return rim + np.radians(1.6) * ragged

    def _strands(self, hair: Hair, style: _Style, turn: np.ndarray, along: np.ndarray) -> np.ndarray:
        lock = noise(np.stack([np.sin(turn), np.cos(turn)], -1).reshape(-1, 2), 5.0, hair.seed + 2).reshape(turn.shape)
        zero = np.zeros_like(turn)
        return np.stack([turn, along * 0.5, lock, zero, zero, zero], axis=-1)

    def _sheet(
        self, name: str, vertices: np.ndarray, chart: np.ndarray, closed: bool, keep: np.ndarray | None = None
    ) -> Mesh:
        columns, rows = vertices.shape[:2]
        index = np.arange(columns * rows).reshape(columns, rows)
        if closed:  # a seam column repeats the first, with the chart running on
            vertices = np.concatenate([vertices, vertices[:1]])
            last = chart[:1].copy()
            last[..., 0] += 2 * np.pi if name == "hair" else 0.0
            chart = np.concatenate([chart, last])
            index = np.arange((columns + 1) * rows).reshape(columns + 1, rows)
        a, b, c, d = index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]
        quads = np.stack([np.stack([a, b, c], -1), np.stack([a, c, d], -1)], axis=2)  # [columns, rows - 1, 2, 3]
        if keep is not None:
            quads = quads[keep]
        return Mesh(
            name,
            vertices.reshape(-1, 3).astype(np.float32),
            quads.reshape(-1, 3).astype(np.int32),
            chart.reshape(-1, 6).astype(np.float32),
        )

    def _curtain(self, hair: Hair, style: _Style, head: "_Head", obstacles: Scene | None) -> Mesh:
        """Cap and hanging hair in one surface, so that light runs over both."""
        limit = np.radians(84 if hair.tuck else 104)
        hanging = step(limit + 0.06, limit - 0.02, np.abs(self.turns))  # [TURNS]
        rim = self._rim(hair, style)
        start = rim + (np.minimum(self.drop, rim) - rim) * hanging
        turn = np.repeat(self.turns[:, None], CAP_ROWS, 1)
        along = np.repeat(np.linspace(0, 1, CAP_ROWS)[None], TURNS, 0)
        place, normal = head.at(turn, along * start[:, None])
        over = along * (start / rim)[:, None]
        off = self._thickness(hair, style, turn, np.where(hanging[:, None] > 0.5, np.minimum(over, 0.85), over))
        parting = (
            np.exp(-(((np.sin(turn) - 0.25 * hair.part) / 0.10) ** 2)) * (np.abs(turn) > 1.6) * step(0.0, 0.2, along)
        )
        off = off * (1 - 0.5 * parting) + self._locks(hair, style, turn, along) * step(1.02, 0.85, over)
        cap = place + normal * off[..., None]
        hang, ends = self._hang(hair, style, head, cap[:, -1], hanging, obstacles)
        vertices = np.concatenate([cap, hang], axis=1)
        length = style.hang_from + (style.hang - style.hang_from) * hair.length
        share = 0.14 / (0.14 + length)
        rows = np.linspace(1 / HANG_ROWS, 1, HANG_ROWS)
        along_all = np.concatenate([along * share, share + (1 - share) * np.repeat(rows[None], TURNS, 0)], axis=1)
        turn_all = np.repeat(self.turns[:, None], CAP_ROWS + HANG_ROWS, 1)
        chart = self._strands(hair, style, turn_all, along_all * 2)
        keep = np.ones((TURNS, CAP_ROWS + HANG_ROWS - 1, 2), bool)
        pair = np.minimum(hanging, np.roll(hanging, -1)) > 0.25
        keep[~pair, CAP_ROWS - 1 :] = False
        gap = np.linalg.norm(vertices - np.roll(vertices, -1, 0), axis=-1) > 0.075
        torn = np.logical_or.accumulate(gap[:, 1:], axis=1)
        torn[:, : CAP_ROWS - 1] = False
        keep[torn] = False
        keep[:, CAP_ROWS - 1 :][ends | np.roll(ends, -1, 0)] = False
        return self._sheet("hair", vertices, chart, closed=True, keep=keep)

    def _hang(
        self, hair: Hair, style: _Style, head: "_Head", top: np.ndarray, hanging: np.ndarray, obstacles: Scene | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rows of hair [TURNS, HANG_ROWS, 3] under the cap's last one, clear of neck and clothes; and where it ends."""
        longest = style.hang_from + (style.hang - style.hang_from) * hair.length
        ragged = noise(np.stack([np.sin(self.turns), np.cos(self.turns)], 1), 11.0, hair.seed + 6)
        reach = longest * (1 + 0.05 * ragged)
        rows = np.linspace(1 / HANG_ROWS, 1, HANG_ROWS)
        depth = rows[None] * reach[:, None]  # metres below the start
        axis = head.axis
        flat = top[:, :2] - axis
        radius = np.linalg.norm(flat, axis=1)
        turn = np.arctan2(
            flat[:, 0] * np.cos(head.yaw) + flat[:, 1] * np.sin(head.yaw),
            flat[:, 1] * np.cos(head.yaw) - flat[:, 0] * np.sin(head.yaw),
        )
        # past the shoulder hair falls before it or behind it
        split = np.radians(62)
        before = np.abs(turn) > split
        passed = step(0.10, 0.24, depth)
        goal = np.where(before, np.sign(turn) * (np.radians(118) + 0.35 * (np.abs(turn) - np.radians(90))), turn * 0.74)
        bent = turn[:, None] + (goal - turn)[:, None] * passed
        sway = (
            style.wave
            * (0.010 * np.sin(depth * 62 + 2.3 * ragged[:, None]) + 0.004 * np.sin(depth * 105))
            * step(0.0, 0.08, depth)
        )
        inward = 0.012 * np.sin(np.pi * np.clip(depth / 0.14, 0, 1))  # towards the neck
        edge = step(1.0, 0.5, hanging)[:, None] * 0.02
        if style.hang < 0.15:
            inward = inward - 0.02 * (rows[None] ** 2)  # a bob turns out, then in
            inward = inward + 0.03 * step(0.7, 1.0, rows)[None]
        out = radius[:, None] - inward - edge + sway + 0.05 * depth * (hair.volume - 0.6)
        out = out + 0.004 * noise(np.stack([np.sin(self.turns), np.cos(self.turns)], 1), 14.0, hair.seed)[
            :, None
        ] * step(0, 0.1, depth)
        world = bent + head.yaw_turn
        away = np.stack([np.sin(world), np.cos(world), np.zeros_like(world)], axis=-1)
        height = top[:, None, 2] - depth
        ends = np.zeros(out.shape, bool)
        if obstacles is not None:
            clear = head.clearance(obstacles, away, height)
            over = clear + 0.012 > radius[:, None] + 0.09  # on the shoulder: there hair ends or goes round
            ends = np.logical_or.accumulate(over, axis=1)
            out = np.maximum(out, np.minimum(clear + 0.012, radius[:, None] + 0.09))
            out = np.maximum(out, 0.5 * (out + np.concatenate([out[:, 1:], out[:, -1:]], 1)))
        points = (
            np.concatenate([np.broadcast_to(axis, (*out.shape, 2)), height[..., None]], axis=-1) + away * out[..., None]
        )
        return points, ends

    def _bun(self, hair: Hair, head: "_Head") -> Mesh:
        high = 0.35 + 0.5 * hair.length  # radians from the crown
        centre, normal = head.at(np.array([[0.0]]), np.array([[np.pi / 2 - high]]))
        radius = 0.034 + 0.012 * hair.volume
        return _ball("hair-bun", centre[0, 0] + normal[0, 0] * radius * 0.75, normal[0, 0], radius, hair.seed)

    def _tail(self, hair: Hair, head: "_Head", obstacles: Scene | None) -> Mesh:
        root, normal = head.at(np.array([[0.0]]), np.array([[np.radians(62 + 30 * hair.length)]]))
        root, normal = root[0, 0], normal[0, 0]
        length = 0.24 + 0.16 * hair.length
        side = 0.03 * hair.part * head.right
        t = np.linspace(0, 1, 26)[:, None]
        curve = (
            root
            + normal * (0.02 + 0.075 * np.sin(np.minimum(t * 2.2, 1.6)))
            - DOWN * length * np.maximum(t - 0.08, 0) ** 1.15
            + side * t
        )
        if obstacles is not None:
            curve = head.outside(obstacles, curve, 0.022)
        width = 0.030 * hair.volume * np.sin(np.pi * np.clip(0.12 + 0.84 * t[:, 0], 0, 1)) ** 0.6 + 0.003
        return _tube("hair-tail", curve, width, np.linspace(0.3, 2, 26), hair.seed, waves=0.15)

    def _braid(self, hair: Hair, head: "_Head", side: int, obstacles: Scene | None) -> Mesh:
        root, normal = head.at(np.array([[side * np.radians(62)]]), np.array([[np.radians(112)]]))
        root, normal = root[0, 0], normal[0, 0]
        count = 60
        t = np.linspace(0, 1, count)[:, None]
        length = 0.22 + 0.12 * hair.length
        curve = (
            root
            + normal * 0.012 * np.sin(np.minimum(3 * t, 1.5))
            - DOWN * length * t
            + head.ahead * 0.085 * step(0.2, 0.65, t)
        )
        if obstacles is not None:
            curve = head.outside(obstacles, curve, 0.018)
        plait = 0.72 + 0.28 * np.abs(np.sin(t[:, 0] * np.pi * 9))
        width = 0.0165 * hair.volume * plait * step(1.06, 0.9, t[:, 0]) * (1 - 0.35 * t[:, 0]) + 0.002
        name = f"hair-braid-{'l' if side > 0 else 'r'}"
        return _tube(name, curve, width, np.linspace(0.2, 2, count), hair.seed, waves=0.9)


class _Head:
    """A posed head: its scalp, and which way it faces."""

    def __init__(self, barber: Barber, posed: Posed) -> None:
        self.barber = barber
        self.scalp = barber._on(posed.vertices)
        turn = posed.transforms[barber.body.bone["head"], :, :3]
        self.ahead = turn @ np.array([0.0, -1.0, 0.0])
        self.right = turn @ np.array([-1.0, 0.0, 0.0])
        self.yaw = np.arctan2(self.ahead[0], -self.ahead[1])
        self.yaw_turn = -self.yaw
        self.axis = self.scalp[:, 12].mean(0)[:2]
        inner = self.scalp[:, 4:14].reshape(-1, 3).mean(0) - [0, 0, 0.03]
        normals = self.scalp - inner
        self.normals = normals / np.linalg.norm(normals, axis=-1, keepdims=True)

    def at(self, turn: np.ndarray, polar: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scalp points and outward directions for turns and polar angles of one shape [..., 3]."""
        column = (turn + np.pi) / (2 * np.pi) * TURNS
        row = np.clip(polar / LOWEST * (RINGS - 1), 0, RINGS - 1.001)
        c0, r0 = np.floor(column).astype(int), np.floor(row).astype(int)
        dc, dr = (column - c0)[..., None], (row - r0)[..., None]
        a, b = c0 % TURNS, (c0 + 1) % TURNS
        results = []
        for grid in (self.scalp, self.normals):
            near = grid[a, r0] * (1 - dr) + grid[a, r0 + 1] * dr
            far = grid[b, r0] * (1 - dr) + grid[b, r0 + 1] * dr
            results.append(near * (1 - dc) + far * dc)
        normal = results[1] / np.linalg.norm(results[1], axis=-1, keepdims=True)
        return results[0], normal

    def clearance(self, obstacles: Scene, away: np.ndarray, height: np.ndarray) -> np.ndarray:
        """How far from the head's axis bodies and clothes reach, in directions and at heights; 0 where they do not."""
        shape = height.shape
        start = np.concatenate([np.broadcast_to(self.axis, (*shape, 2)), height[..., None]], axis=-1) + away * 0.26
        face, where = obstacles.trace(
            start.reshape(-1, 3).astype(np.float32), (-away).reshape(-1, 3).astype(np.float32)
        )
        met = np.flatnonzero(face >= 0)
        reach = np.zeros(len(face))
        reach[met] = np.maximum(0.26 - where[met, 2], 0.0)
        return reach.reshape(shape)

    def outside(self, obstacles: Scene, curve: np.ndarray, margin: float) -> np.ndarray:
        """Push a curve [N, 3] out of bodies and clothes, away from the head's axis."""
        flat = curve[:, :2] - self.axis
        radius = np.linalg.norm(flat, axis=1)
        away = np.column_stack([flat / np.maximum(radius, 1e-6)[:, None], np.zeros(len(curve))])
        clear = self.clearance(obstacles, away, curve[:, 2])
        radius = np.maximum(radius, np.where(clear > 0, clear + margin, 0))
        radius = np.convolve(np.pad(radius, 3, mode="edge"), np.ones(7) / 7, mode="valid")
        return np.column_stack([self.axis + away[:, :2] * radius[:, None], curve[:, 2]])


def _circular_blur(values: np.ndarray, width: int) -> np.ndarray:
    return sum(np.roll(values, shift) for shift in range(-width, width + 1)) / (2 * width + 1)


def _ball(name: str, centre: np.ndarray, pole: np.ndarray, radius: float, seed: int) -> Mesh:
    side = np.cross(pole, [1.0, 0, 0])
    side /= np.linalg.norm(side)
    other = np.cross(pole, side)
    turn, polar = np.meshgrid(np.linspace(0, 2 * np.pi, 40), np.linspace(0, np.pi, 22), indexing="ij")
    spiral = 0.06 * np.sin(3 * turn + 9 * polar)
    size = radius * (1 + spiral)
    local = (
        np.stack([np.sin(polar) * np.cos(turn), np.sin(polar) * np.sin(turn), 0.78 * np.cos(polar)], -1)
        * size[..., None]
    )
    vertices = centre + local[..., :1] * side + local[..., 1:2] * other + local[..., 2:] * pole
    zero = np.zeros_like(turn)
    chart = np.stack([polar * 1.2 + turn / 6, turn / 3, np.full_like(turn, seed % 7), zero, zero, zero], -1)
    return _grid(name, vertices, chart, centre)


def _tube(name: str, curve: np.ndarray, width: np.ndarray, along: np.ndarray, seed: int, waves: float) -> Mesh:
    ahead = np.gradient(curve, axis=0)
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
    side = np.cross(ahead, [0.0, 1.0, 0.05])
    side /= np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-6)
    other = np.cross(ahead, side)
    turn = np.linspace(0, 2 * np.pi, 22)
    lock = 1 + 0.09 * np.sin(turn * 5 + seed)[None]
    around = (np.cos(turn)[None, :, None] * side[:, None] + 0.8 * np.sin(turn)[None, :, None] * other[:, None]) * (
        width[:, None] * lock
    )[..., None]
    vertices = curve[:, None] + around
    t, a = np.meshgrid(along, turn, indexing="ij")
    zero = np.zeros_like(t)
    twist = a / 3 + waves * np.sin(t * 14)
    return _grid(name, vertices, np.stack([twist, t, zero + seed % 5, zero, zero, zero], -1), curve[:, None])


def _grid(name: str, vertices: np.ndarray, chart: np.ndarray, inside: np.ndarray) -> Mesh:
    """A mesh of a grid [columns, rows, 3] whose triangles face away from points inside."""
    columns, rows = vertices.shape[:2]
    index = np.arange(columns * rows).reshape(columns, rows)
    a, b, c, d = index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]
    faces = np.cross(vertices[1:, :-1] - vertices[:-1, :-1], vertices[:-1, 1:] - vertices[:-1, :-1])
    outward = (faces * (vertices - inside)[:-1, :-1]).sum() > 0
    triangles = np.concatenate([np.stack([a, b, c], -1), np.stack([a, c, d], -1)]).reshape(-1, 3)
    triangles = triangles if outward else triangles[:, ::-1]
    return Mesh(
        name,
        vertices.reshape(-1, 3).astype(np.float32),
        triangles.astype(np.int32),
        chart.reshape(-1, 6).astype(np.float32),
    )
