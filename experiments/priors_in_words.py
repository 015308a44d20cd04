"""Priors as the tables of pages show them."""

import scenefit as sf


def in_words(prior: sf.Prior) -> str:
    if isinstance(prior, sf.Uniform | sf.Integer):
        return f"{prior.low:g} to {prior.high:g}"
    if isinstance(prior, sf.Choice):
        shares = dict(zip(prior.options, 100 * prior.probabilities, strict=True))
        if len(set(shares.values())) == 1:
            return f"any of {', '.join(map(str, shares))}"
        return ", ".join(f"{option} {share:.0f} %" for option, share in shares.items())
    if isinstance(prior, sf.Angle) and prior.sd is None:
        return "any" if prior.width == 360 else f"{prior.mean - prior.width / 2:g} to {prior.mean + prior.width / 2:g}"
    if isinstance(prior, sf.Normal | sf.Angle):
        return f"{prior.mean:g} ± {prior.sd:g}"
    raise TypeError(f"no words for {prior}")
