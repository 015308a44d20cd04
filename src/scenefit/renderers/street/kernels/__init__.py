"""The ray caster's kernels, in Warp. `scenefit.renderers.street.compilation` loads them when they are first needed."""
