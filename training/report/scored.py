"""How well dances are danced: tables of the figures, how each is read, and whether ours are better than the others."""

from pathlib import Path

from training.report.tables import Cell, Column, Row, Table, interval, known, table, value, written

CORPUS = "dances"
MORE, LESS, TRUTH, ZERO = "more is better", "less is better", "as the truth", "about 0 for the truth"
OURS, SHUFFLED = "this run", "this run, music shuffled"
GROUPS = {
    "On the beat": {
        "beats.f1": Column(
            "F1", "{:.3f}", MORE,
            "0 to 1: both of the next two, their harmonic mean. A beat of a motion is where its joints are slowest.",
        ),
        "beats.precision": Column("precision", "{:.3f}", MORE, "How near the motion's beats are to the music's."),
        "beats.recall": Column(
            "recall", "{:.3f}", MORE, "How near the music's beats are to the motion's: whoever jitters gains here."
        ),
        "beats.chance_f1": Column(
            "F1 by chance", "{:.3f}", "", "F1 of the same beats turned against the song: what is met by luck."
        ),
        "beats.f1_over_chance": Column(
            "F1 over chance", "{:+.3f}", MORE, "What hearing brings: about 0 for a dance that hears nothing."
        ),
        "beats.density": Column("beats a second", "{:.2f}", TRUTH, "Beats of the motion: few is sleepy, many jitters."),
        "beats.late_ms": Column(
            "late, ms", "{:+.0f}", TRUTH, "Median time by which the motion's beats follow the music's; + is late."
        ),
    },
    "Feet and faults": {
        "feet.skate_cm_s": Column(
            "skating, cm/s", "{:,.1f}", LESS, "Speed of low feet along the floor. Locked feet have none."
        ),
        "feet.pfc": Column(
            "PFC", "{:,.2f}", LESS, "Acceleration that no standing foot explains. Whoever hardly moves has little, too."
        ),
        "feet.penetration_cm": Column("sunk, cm", "{:.1f}", LESS, "How deep the lowest joint is in the floor."),
        "faults.freeze": Column("frozen", "{:.1%}", TRUTH, "Share of time in which hardly anything moves."),
        "faults.loop": Column("repeated", "{:.1%}", TRUTH, "Share of time that repeats what was danced before."),
        "faults.jerk": Column("jerk, m/s³", "{:,.0f}", TRUTH, "Far above the truth trembles, far below floats."),
        "faults.speed": Column("speed, m/s", "{:.2f}", TRUTH, "Mean over joints: is it danced, or stood?"),
    },
    "Like true dances": {
        "features.corrected.fid_k": Column(
            "FID_k", "{:,.1f}", LESS,
            "How far their movement is from that of the training dances. The floor is what as many true dances get: "
            "what stands there cannot be told from them.",
        ),
        "features.corrected.fid_g": Column("FID_g", "{:,.1f}", LESS, "The same of the poses that they take."),
        "features.corrected.kid_k": Column("KID_k", "{:,.2f}", ZERO, "As FID_k, without its bias of few samples."),
        "features.corrected.kid_g": Column("KID_g", "{:,.2f}", ZERO, "The same of the poses."),
        "features.corrected.div_k": Column(
            "Div_k", "{:,.1f}", TRUTH, "How much two dances differ in movement; noise differs most. It has no interval."
        ),
        "features.corrected.div_g": Column("Div_g", "{:,.1f}", TRUTH, "The same of the poses. It has no interval."),
    },
    "As papers count": {
        "beats.legacy_precision": Column("precision", "{:.3f}", MORE, "The beat alignment of FACT and EDGE."),
        "beats.legacy_recall": Column("recall", "{:.3f}", MORE, "The beat alignment of Bailando and Lodge."),
        "feet.pfc_legacy": Column("PFC", "{:,.2f}", LESS, "One jolt divides it; a frozen dance has none."),
        "features.legacy.fid_k": Column("FID_k", "{:,.1f}", LESS, "Of whole dances against all dances of the pack."),
        "features.legacy.fid_g": Column("FID_g", "{:,.1f}", LESS, "The same of the poses."),
        "features.legacy.div_k": Column("Div_k", "{:,.1f}", TRUTH, "It has no interval."),
        "features.legacy.div_g": Column("Div_g", "{:,.1f}", TRUTH, "It has no interval."),
    },
}  # fmt: skip
SAID = {
    "On the beat": "Look at F1 over chance: a dance that hears nothing meets beats, too, by luck.",
    "Feet and faults": "Feet that stand should stand; of the rest the true dances say how much there is.",
    "Like true dances": "Retrieval repeats true dances, so it is near the floor by construction: what it lacks is the "
    "song.",
    "As papers count": "The published measures, faults included (training/dance/metrics/README.md), of our skeleton: "
    "never compare them with those above.",
}
COMPARED = {  # differences: +1 where more is better, -1 where less is
    "beats.f1": ("F1", "{:+.3f}", 1),
    "beats.f1_over_chance": ("F1 over chance", "{:+.3f}", 1),
    "feet.skate_cm_s": ("skating, cm/s", "{:+,.1f}", -1),
    "feet.pfc": ("PFC", "{:+,.2f}", -1),
}
FEW = 5  # songs: over fewer, an interval is little more than their range
DIGEST = {"f1_over_chance": "beats.f1_over_chance", "skate": "feet.skate_cm_s", "fid_k": "features.corrected.fid_k"}


def tables(figures: dict, source: Path, options: str) -> list[tuple[str, str, Table]]:
    """Lay out the figures in groups: (title, what to look at, table)."""
    floored = figures | {"rows": [with_floors(row) for row in figures["rows"]]}
    laid = {title: table(floored, columns, source, command(options)) for title, columns in GROUPS.items()}
    return [(title, SAID[title], one) for title, one in laid.items() if one.columns]


def command(options: str) -> str:
    return f"python -m training.evaluate run=dance corpus={CORPUS} {options}".strip()


def with_floors(row: dict) -> dict:
    """Put into each distance what as many true dances would get."""
    floored = {
        mode: {
            name: figure | {"floor": found.get(f"{name}_floor")} if isinstance(figure, dict) else figure
            for name, figure in found.items()
        }
        for mode, found in row.get("features", {}).items()
    }
    return row | {"features": floored}


def about(figures: dict) -> list[str]:
    """Say what the figures rest on: which dances, how they were asked for, what an N and an interval are."""
    if not figures["measured"]:
        return []
    data, asked = figures["data"], figures["sampled"]
    seeds = ", ".join(map(str, asked["seeds"]))
    told = "untold" if asked["genre"] == "none" else "told"
    said = [
        f"{data['dances']} dances ({data['seconds']:g} s) to {data['songs']} songs that no training heard, each danced "
        f"with the seeds {seeds}: {asked['steps']} steps of the sampler, guidance {asked['guidance']:g}, genre {told}. "
        f"N counts dances times seeds; of FID, KID and Div windows of {figures['window_seconds']:g} s against those of "
        "the training dances.",
        f"Intervals are {figures['interval']}."
        + (f" Over {data['songs']} they are little more than their range." if data["songs"] < FEW else ""),
    ]
    tracked = figures.get("tracked")
    heard = f"Beats of the music: {figures['beats']}"
    return [
        *said,
        f"{heard}; of these the tracker, which alone a training hears, finds F1 {tracked['f1']:.2f} within "
        f"{tracked['within_ms']} ms (N {tracked['songs']} songs)."
        if tracked
        else f"{heard}.",
    ]


def hears(figures: dict) -> str:
    """Answer in a sentence whether the dances follow their own songs, or "" where it was not asked."""
    for one in figures["differences"]:
        if (one["row"], one["figure"]) == (SHUFFLED, "beats.f1") and known(one):
            size, more = abs(value(one)), "more" if value(one) >= 0 else "less"
            within = f"95 % {interval(one, '{:+.3f}')}, " if one["interval_95"] else "no interval, "
            return (
                f"On the beats of its own songs F1 is {size:.3f} {more} than on those of other songs "
                f"({within}N {songs(one)}): {answer(one, 1)[0]}."
            )
    return ""


def better(figures: dict, source: Path, options: str) -> Table | None:
    """Say of every other row whether ours is better, figure by figure."""
    found = {(one["row"], one["figure"]): one for one in figures["differences"]}
    rows = [row for row in figures["rows"] if any((row["name"], figure) in found for figure in COMPARED)]
    if not rows:
        return None
    return Table(
        columns=[Column(heading, shape, MORE if more > 0 else LESS) for heading, shape, more in COMPARED.values()],
        rows=[
            Row(row["name"], "", [compared(found.get((row["name"], figure)), figure) for figure in COMPARED], None)
            for row in rows
        ],
        source=str(source),
        command=command(options),
        why_not="",
    )


def compared(one: dict | None, figure: str) -> Cell:
    """Answer whether ours is better by a figure, and by how much it is more."""
    if not known(one):
        return Cell("", "", "")
    _, shape, more = COMPARED[figure]
    said, verdict = answer(one, more)
    ends = f" ({interval(one, shape)})" if one["interval_95"] else ""
    return Cell(said, written(value(one), shape) + ends, f"N {songs(one)}", verdict)


def answer(one: dict, more: int) -> tuple[str, str]:
    """Answer yes or no only where the whole interval does; also gives the verdict that a cell shows."""
    ends = one["interval_95"]
    if not ends:
        return "not known", ""
    if ends == [0, 0]:
        return "the same", "same"
    low, high = sorted(more * end for end in ends)
    return ("yes", "better") if low > 0 else ("no, worse", "worse") if high < 0 else ("not known", "")


def songs(one: dict) -> str:
    return f"{one['songs']} song{'s' if one['songs'] != 1 else ''}"
