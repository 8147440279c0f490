"""The whole extension surface on one screen.

A plugin is a module that defines any of these functions, marked ``@ganblocks.hookimpl``, and is named by an entry point of
group ``ganblocks``. Each hook takes no argument and returns ``{name: component}``, where a component is a frozen attrs class,
or the string ``"package.module:Class"``, which is imported on first use. A hook only offers components: none is
used because it happens to be installed.

A plugin module may also state ``GANBLOCKS_DEFAULTS = {"metric": ("name", …)}``: its components for evaluations that name none
of that kind, the first choice first.
"""

from __future__ import annotations

from collections.abc import Mapping

import pluggy

API_VERSION = 1
"""The version of this surface. A plugin may state ``GANBLOCKS_API = 1``; another number keeps it out, with the reason shown."""

GROUP = "ganblocks"
"""The entry point group, and pluggy's project name."""

Offer = Mapping[str, type | str]

hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


@hookspec
def ganblocks_norms() -> Offer:  # type: ignore[empty-body]
    """Offer norm layers, which map activations (kind ``norm``, ``ganblocks/kinds/norm.py``)."""


@hookspec
def ganblocks_weight_norms() -> Offer:  # type: ignore[empty-body]
    """Offer weight norms, which wrap a layer (kind ``weight_norm``, ``ganblocks/kinds/weight_norm.py``)."""


@hookspec
def ganblocks_initializations() -> Offer:  # type: ignore[empty-body]
    """Offer rules that draw fresh weights (kind ``initialization``, ``ganblocks/kinds/initialization.py``)."""


@hookspec
def ganblocks_attentions() -> Offer:  # type: ignore[empty-body]
    """Offer attention blocks, or anything of equal in and out shape (kind ``attention``, ``ganblocks/kinds/attention.py``)."""


@hookspec
def ganblocks_losses() -> Offer:  # type: ignore[empty-body]
    """Offer adversarial losses (kind ``loss``, ``ganblocks/kinds/loss.py``)."""


@hookspec
def ganblocks_conditionings() -> Offer:  # type: ignore[empty-body]
    """Offer heads of a discriminator (kind ``conditioning``, ``ganblocks/kinds/conditioning.py``)."""


@hookspec
def ganblocks_penalties() -> Offer:  # type: ignore[empty-body]
    """Offer regularisation terms (kind ``penalty``, ``ganblocks/kinds/penalty.py``)."""


@hookspec
def ganblocks_update_rules() -> Offer:  # type: ignore[empty-body]
    """Offer rules that own optimizers and the order of turns (kind ``update_rule``, ``ganblocks/kinds/update_rule.py``)."""


@hookspec
def ganblocks_optimizers() -> Offer:  # type: ignore[empty-body]
    """Offer optimizers (kind ``optimizer``, ``ganblocks/kinds/optimizer.py``)."""


@hookspec
def ganblocks_generators() -> Offer:  # type: ignore[empty-body]
    """Offer generator networks (kind ``generator``, ``ganblocks/kinds/generator.py``)."""


@hookspec
def ganblocks_discriminators() -> Offer:  # type: ignore[empty-body]
    """Offer discriminator networks (kind ``discriminator``, ``ganblocks/kinds/discriminator.py``)."""


@hookspec
def ganblocks_augments() -> Offer:  # type: ignore[empty-body]
    """Offer augmentations (kind ``augment``, ``ganblocks/kinds/augment.py``)."""


@hookspec
def ganblocks_datasets() -> Offer:  # type: ignore[empty-body]
    """Offer data sets (kind ``dataset``, ``ganblocks/kinds/dataset.py``)."""


@hookspec
def ganblocks_metrics() -> Offer:  # type: ignore[empty-body]
    """Offer numbers that compare generated images with real ones (kind ``metric``, ``ganblocks/kinds/metric.py``)."""


@hookspec
def ganblocks_diagnostics() -> Offer:  # type: ignore[empty-body]
    """Offer numbers about the generator itself (kind ``diagnostic``, ``ganblocks/kinds/diagnostic.py``)."""


@hookspec
def ganblocks_feature_extractors() -> Offer:  # type: ignore[empty-body]
    """Offer networks whose features metrics compare (kind ``feature_extractor``, ``ganblocks/kinds/feature_extractor.py``)."""


@hookspec
def ganblocks_loggers() -> Offer:  # type: ignore[empty-body]
    """Offer loggers, which show a run elsewhere while it trains (kind ``logger``, ``ganblocks/kinds/logger.py``)."""
