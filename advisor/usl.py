"""Where does the Universal Scalability Law put the knee of a service, and how sure is that?

X(N) = γN / (1 + α(N−1) + βN(N−1)) (N. Gunther, "Guerrilla Capacity Planning", 2007): α is the share of the work that is done
one after the other, β the cost of keeping each pair coherent. Only β > 0 makes throughput fall again; its peak is at
N* = sqrt((1−α)/β).
"""

from collections.abc import Sequence
from math import sqrt

import msgspec

Points = Sequence[tuple[float, float]]
"""(N, X) pairs, both above 0."""


class Usl(msgspec.Struct, frozen=True):
    """A fit. `gamma`: throughput of one; `misfit`: root mean square of the relative errors."""

    gamma: float
    alpha: float
    beta: float
    misfit: float

    @property
    def peak(self) -> float | None:
        """N at which throughput is greatest, at least 1; None = it never falls."""
        return max(1.0, sqrt(max(0.0, 1 - self.alpha) / self.beta)) if self.beta > 0 else None

    def throughput(self, n: float) -> float:
        return self.gamma * n / (1 + self.alpha * (n - 1) + self.beta * n * (n - 1))


def fit(points: Points) -> Usl | None:
    """The law through the points, by least squares of the relative errors; None where they give no law with γ > 0.

    N/X = 1/γ + (α/γ)(N−1) + (β/γ)N(N−1) is linear in its three coefficients. A negative α is a fit's way to say 0.
    """
    rows = [(n / x, (1.0, n - 1, n * (n - 1))) for n, x in points if n > 0 and x > 0]
    if len(rows) < 3:
        return None
    found = _least_squares(rows, (0, 1, 2))
    if found is not None and found[1] < 0:
        found = _least_squares(rows, (0, 2))
    if found is None or found[0] <= 0:
        return None
    base, serial, pairs = found
    law = Usl(1 / base, serial / base, max(0.0, pairs / base), 0.0)
    errors = [(law.throughput(n) / x - 1) ** 2 for n, x in points if n > 0 and x > 0]
    return msgspec.structs.replace(law, misfit=sqrt(sum(errors) / len(errors)))


def resampled(levels: Sequence[Points], times: int) -> list[Usl]:
    """Fits to `times` resamples: at each level as many points as it has, drawn with replacement, and their mean.

    The draws are the same for the same levels, so that a finding does not flicker.
    """
    from random import Random  # rarely needed

    draw = Random(0)  # noqa: S311
    fits = (fit([mean(draw.choices(level, k=len(level))) for level in levels]) for _ in range(times))
    return [each for each in fits if each is not None]


def mean(points: Points) -> tuple[float, float]:
    return sum(n for n, _ in points) / len(points), sum(x for _, x in points) / len(points)


def levels_of(points: Points, step: float) -> list[list[tuple[float, float]]]:
    """Points sorted into levels of N, a new one where N exceeds the level's first by the factor `step`; those of one
    point are left out, as nothing says how far it scatters."""
    found: list[list[tuple[float, float]]] = []
    for point in sorted(points):
        if not found or point[0] > step * found[-1][0][0]:
            found.append([])
        found[-1].append(point)
    return [level for level in found if len(level) > 1]


def _least_squares(
    rows: Sequence[tuple[float, tuple[float, float, float]]], used: tuple[int, ...]
) -> tuple[float, float, float] | None:
    """Coefficients of the `used` terms, each row weighted by 1/y²; the others are 0. None = the terms are not independent."""
    size = len(used)
    matrix = [[sum(t[i] * t[j] / (y * y) for y, t in rows) for j in used] for i in used]
    right = [sum(t[i] / y for y, t in rows) for i in used]
    for column in range(size):
        pivot = max(range(column, size), key=lambda row: abs(matrix[row][column]))
        if abs(matrix[pivot][column]) < 1e-12:
            return None
        matrix[column], matrix[pivot] = matrix[pivot], matrix[column]
        right[column], right[pivot] = right[pivot], right[column]
        for row in range(size):
            if row != column:
                factor = matrix[row][column] / matrix[column][column]
                matrix[row] = [a - factor * b for a, b in zip(matrix[row], matrix[column], strict=True)]
                right[row] -= factor * right[column]
    found = [0.0, 0.0, 0.0]
    for place, term in enumerate(used):
        found[term] = right[place] / matrix[place][place]
    return found[0], found[1], found[2]
