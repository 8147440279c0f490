"""The two time-scale update rule: alternating descent whose discriminator learns faster, by a constant ratio."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from ganblocks import Checked, Constant, Facts, Game, Moving, Optimizer, Schedule, moving
from ganblocks_update_rules.alternating import Alternating, AlternatingUpdater


@frozen(kw_only=True)
class TTUR(Alternating, Checked):
    """Two time scales: alternating descent with a larger rate for the discriminator, and one factor of both rates.

    η_D(t) / η_G(t) is constant: η_D(t) = s(t) · η_D and η_G(t) = s(t) · η_G, with η_D > η_G.

    Use it where the discriminator must keep up without several steps per generator step, above all under spectral norm, which
    slows it down. It does not cure rotation: if the players circle each other, try "extragradient" or "lookahead".

    Source: Heusel et al. (2017), "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium",
    arXiv:1706.08500, section 2. SAGAN uses 1e-4 for the generator and 4e-4 for the discriminator (Zhang et al. 2019,
    arXiv:1805.08318, section 4.2).

    Options:
        generator, discriminator: each player's optimizer, with constant rates.
        discriminator_steps: discriminator steps per generator step.
        order: who steps first in an iteration.
        rate_factor: s, the factor of both rates; a number or a schedule.
    """

    rate_factor: Moving = moving(1.0, low=0)

    def start(self, game: Game) -> AlternatingUpdater:
        """Return the updater of ``game``."""
        return self._start(game, self.rate_factor)

    def check(self, facts: Facts) -> Iterator[str]:
        """Complain about rates that are schedules, equal, or lower for the discriminator."""
        moving_rates = [name for name in ("generator", "discriminator") if _moves(getattr(self, name))]
        if moving_rates:
            yield (
                f"the rate of the {' and of the '.join(moving_rates)} is a schedule, so the ratio of the rates could change; "
                "give both optimizers constant rates, and the schedule to update.rate_factor"
            )
        else:
            yield from self._check_ratio()

    def _check_ratio(self) -> Iterator[str]:
        slow, fast = (optimizer.settings(0)["lr"] for optimizer in (self.generator, self.discriminator))
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
    """Return whether the optimizer's rate is a schedule that is not constant."""
    rate = getattr(optimizer, "rate", None)
    return isinstance(rate, Schedule) and not isinstance(rate, Constant)
