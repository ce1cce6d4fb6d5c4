"""The losses of a run as a picture (SVG), without a plotting library."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from xml.sax.saxutils import escape

Points = Sequence[tuple[int, float]]
"""Steps and losses."""

_WIDTH: Final = 720
_HEIGHT: Final = 360
_LEFT: Final = 60
_RIGHT: Final = 20
_TOP: Final = 40
_BOTTOM: Final = 45
_MOST: Final = 400
"""Points of a line; of more, the means of neighbors are drawn."""


def svg(title: str, losses: Points, validations: Points) -> str:
    """The picture: the training loss as a thin line, the loss on the validation data with points."""
    shown = _thinned(losses)
    values = [loss for _, loss in (*shown, *validations)] or [1.0]
    high, steps = max(*values, 1e-6) * 1.05, max([step for step, _ in (*losses, *validations)] or [1])

    def at(point: tuple[int, float]) -> str:
        x = _LEFT + (_WIDTH - _LEFT - _RIGHT) * point[0] / steps
        y = _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * point[1] / high
        return f"{x:.1f},{y:.1f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" '
        'font-size="12"><rect width="100%" height="100%" fill="#fff"/>',
        f'<text x="{_LEFT}" y="24" font-size="15">{escape(title)}</text>',
        *(_tick(at((0, value)), f"{value:.3g}") for value in (0, high / 2, high)),
        f'<text x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 15}" text-anchor="end">step {steps:,}</text>',
        f'<polyline points="{" ".join(map(at, shown))}" fill="none" stroke="#1f77b4"/>',
        f'<text x="{_LEFT + 10}" y="{_HEIGHT - 15}" fill="#1f77b4">training loss</text>',
    ]
    if validations:
        parts += [
            f'<polyline points="{" ".join(map(at, validations))}" fill="none" stroke="#d62728" stroke-width="2"/>',
            *(f'<circle cx="{x}" cy="{y}" r="3" fill="#d62728"/>' for x, y in (at(p).split(",") for p in validations)),
            f'<text x="{_LEFT + 120}" y="{_HEIGHT - 15}" fill="#d62728">validation loss</text>',
        ]
    return "\n".join([*parts, "</svg>\n"])


def _tick(place: str, label: str) -> str:
    y = place.split(",")[1]
    line = f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}" stroke="#ddd"/>'
    return f'{line}<text x="{_LEFT - 8}" y="{y}" text-anchor="end" dominant-baseline="middle">{label}</text>'


def _thinned(points: Points) -> Points:
    width = -(-len(points) // _MOST)
    if width <= 1:
        return points
    groups = (points[at : at + width] for at in range(0, len(points), width))
    return [(group[-1][0], sum(loss for _, loss in group) / len(group)) for group in groups]
