"""The versions of the checkpoint, in the order of the writes: the rows each counts, and where epoch or status changed.

The order is all that is known of their time, so the axis counts versions. Pure.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from harness.history import CheckpointVersion
from harness.report.scale import Scale, Tick

PLOT_TOP_PX, PLOT_FLOOR_PX = 16.0, 136.0
LABEL_FITS_PX = 22.0
MOST_CHANGES = 24
MOST_EPOCHS = 200


@dataclass(frozen=True, slots=True)
class EpochBand:
    """The versions that one epoch wrote, as a place on the axis."""

    epoch: int | None
    x: float
    width: float
    label: str


@dataclass(frozen=True, slots=True)
class Change:
    """A version worth a line in the table: the first, the last, and each that differs in more than its counts."""

    version: CheckpointVersion
    why: str

    @property
    def attributes(self) -> dict[str, str | int]:
        """Its attributes, none where the item was deleted."""
        return dict(self.version.attributes or {})


@dataclass(frozen=True, slots=True)
class Saves:
    """The drawing and the table."""

    versions: int
    path: str
    axis: tuple[Tick, ...]
    row_axis: tuple[Tick, ...]
    epochs: tuple[EpochBand, ...]
    planted: tuple[float, ...]
    changes: tuple[Change, ...]
    left_out: int


def draw_saves(versions: Sequence[CheckpointVersion], *, rows: int) -> Saves | None:
    """The drawing of these versions of a checkpoint that counts so many rows at its end; None for none."""
    if not versions:
        return None
    counts = [version.count("last_line") for version in versions]
    scale = Scale(0.0, float(len(versions)))
    height = Scale(0.0, max([rows, 1, *(count or 0 for count in counts)]), PLOT_FLOOR_PX, PLOT_TOP_PX)
    changes = list(_changes(versions))
    kept = changes if len(changes) <= MOST_CHANGES else [*changes[: MOST_CHANGES // 2], *changes[-MOST_CHANGES // 2 :]]
    return Saves(
        versions=len(versions),
        path=_path(counts, scale, height),
        axis=scale.ticks(),
        row_axis=height.ticks(wanted=3),
        epochs=tuple(_epochs(versions, scale)),
        planted=tuple(sorted({scale.px(k + 0.5) for k, version in enumerate(versions) if version.planted})),
        changes=tuple(kept),
        left_out=len(changes) - len(kept),
    )


def _path(counts: Iterable[int | None], scale: Scale, height: Scale) -> str:
    """The counts as steps, one for each pixel; a pixel that holds several is drawn from its lowest to its highest."""
    path: list[str] = []
    pen_down = False
    columns = groupby(enumerate(counts), lambda pair: round(scale.px(pair[0])))
    for x, pairs in columns:
        column = list(pairs)
        known = [count for _, count in column if count is not None]
        if not known:
            pen_down = False
            continue
        end = scale.px(column[-1][0] + 1)
        levels = dict.fromkeys((known[0], min(known), max(known), known[-1]))
        first = "" if pen_down else f"M{x} {height.px(known[0]):g}"
        rises = "".join(f"V{height.px(level):g}" for level in levels)
        path.append(f"{first}{rises}V{height.px(known[-1]):g}H{end:g}")
        pen_down = column[-1][1] is not None
    return "".join(path)


def _epochs(versions: Sequence[CheckpointVersion], scale: Scale) -> Iterator[EpochBand]:
    bands = [(epoch, list(numbers)) for epoch, numbers in groupby(range(len(versions)), lambda k: _epoch(versions[k]))]
    for epoch, numbers in bands if len(bands) <= MOST_EPOCHS else ():
        x = scale.px(numbers[0])
        width = round(scale.px(numbers[-1] + 1) - x, 1)
        shown = "none" if epoch is None else str(epoch)
        yield EpochBand(epoch, x, width, shown if width >= LABEL_FITS_PX else "")


def _epoch(version: CheckpointVersion) -> int | None:
    return version.count("epoch")


def _changes(versions: Sequence[CheckpointVersion]) -> Iterator[Change]:
    before: CheckpointVersion | None = None
    for version in versions:
        why = _why(version, before)
        if before is None:
            why = ["first", *why]
        if version is versions[-1]:
            why = [*why, "last"]
        if why:
            yield Change(version, ", ".join(why))
        before = version


def _why(version: CheckpointVersion, before: CheckpointVersion | None) -> list[str]:
    why = ["planted by a nemesis"] if version.planted else []
    if version.attributes is None:
        return [*why, "deleted"]
    if before is None or before.attributes is None:
        return why
    was, now = before.attributes, version.attributes
    why.extend(f"{name} changed" for name in ("epoch", "status") if now.get(name) != was.get(name))
    if (version.count("last_line") or 0) < (before.count("last_line") or 0):
        why.append("went back")
    return why
