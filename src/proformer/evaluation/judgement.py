"""How models of coverage are scored: the settings, which a configuration has, too."""

from dataclasses import dataclass

from proformer.settings import Count, CountOrZero, NotNegative


@dataclass(frozen=True)
class Judgement:
    """How models of coverage are scored.

    bins: bp of the coarser bins, and of the boxes by which predictions and measurements are smoothed. thresholds:
    subsets of the windows, those whose greatest value of all tracks is above. shifts: random places within the window
    from which it is predicted again, in so many `shifted_windows` (with a peak, where peaks are known); as many for
    each variant, within `variant_window` bp around it. seed: of all.
    """

    bins: tuple[Count, ...] = (1, 32, 64, 128, 256, 512, 1024, 2048)
    thresholds: tuple[NotNegative, ...] = (0, 2, 4, 6, 8, 10, 12, 16, 20, 24)
    shifts: CountOrZero = 20
    shifted_windows: Count = 1000
    variant_window: Count = 3072
    seed: CountOrZero = 1
