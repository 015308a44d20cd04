"""The ray caster's kernels, in Warp. `compilation` loads them when they are first needed."""
