"""The two time-scale update rule: alternating descent whose discriminator learns faster, by a ratio that never changes."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from ganblocks import Checked, Constant, Facts, Game, Moving, Optimizer, Schedule, moving
from ganblocks_update_rules.alternating import Alternating, AlternatingUpdater


@frozen(kw_only=True)
class TTUR(Alternating, Checked):
    """Two time scales: alternating descent with a larger rate for the discriminator, and one factor on both rates.

    η_D(t) / η_G(t) is constant: η_D(t) = s(t) · η_D and η_G(t) = s(t) · η_G, with η_D > η_G.

    Use it where the discriminator has to keep up without several steps for each one of the generator, above all under spectral
    norm, which slows it down. It does not cure rotation: where losses circle, try "extragradient" or "lookahead".

    Source: Heusel et al. (2017), "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium",
    arXiv:1706.08500, section 2. SAGAN uses 1e-4 for the generator and 4e-4 for the discriminator (Zhang et al. 2019,
    arXiv:1805.08318, section 4.2).

    Options:
        generator, discriminator: each player's optimizer, with constant rates.
        discriminator_steps: steps of the discriminator for each one of the generator.
        order: who moves first in an iteration.
        rate_factor: s, the factor on both rates; a number or a schedule.
    """

    rate_factor: Moving = moving(1.0, low=0)

    def start(self, game: Game) -> AlternatingUpdater:
        return self._start(game, self.rate_factor)

    def check(self, facts: Facts) -> Iterator[str]:
        moving_rates = [name for name in ("generator", "discriminator") if _moves(getattr(self, name))]
        if moving_rates:
            yield (
                f"the rate of the {' and of the '.join(moving_rates)} is a schedule, so the ratio of the rates could change; "
                "give both optimizers constant rates, and the schedule to update.rate_factor"
            )
        else:
            yield from self._check_ratio()

    def _check_ratio(self) -> Iterator[str]:
        slow, fast = (each.settings(0)["lr"] for each in (self.generator, self.discriminator))
        if fast == slow:
            yield (
                f"both rates are {slow:g}, which is one time scale; give update.discriminator a larger rate than "
                'update.generator (SAGAN: 4e-4 and 1e-4), or use "alternating"'
            )
        elif fast < slow:
            yield (
                f"the discriminator's rate {fast:g} is below the generator's {slow:g}, the wrong way round; give "
                'update.discriminator the larger rate (SAGAN: 4e-4 and 1e-4), or use "alternating"'
            )


def _moves(optimizer: Optimizer) -> bool:
    """Whether the optimizer's own rate is anything but one number."""
    rate = getattr(optimizer, "rate", None)
    return isinstance(rate, Schedule) and not isinstance(rate, Constant)
