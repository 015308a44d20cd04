"""Models for streets, made by code: vehicles, people, houses, trees and street furniture.

x is forward along the road, y left, z up. Vehicles and people face forwards. Signs and traffic lights face backwards,
to those who drive forward. Houses, lamps and furniture stand on the left of the road and face it.
"""

from collections.abc import Callable, Mapping

from scenefit.renderers.street.mesh import Mesh
from scenefit.renderers.street.models.cyclists import cyclists
from scenefit.renderers.street.models.fences import fences
from scenefit.renderers.street.models.furniture import bollards, furniture
from scenefit.renderers.street.models.houses import houses
from scenefit.renderers.street.models.pedestrians import pedestrians
from scenefit.renderers.street.models.poles import poles
from scenefit.renderers.street.models.signs import signs
from scenefit.renderers.street.models.trees import trees
from scenefit.renderers.street.models.vehicles.buses import buses
from scenefit.renderers.street.models.vehicles.cars import cars
from scenefit.renderers.street.models.vehicles.trucks import trucks
from scenefit.renderers.street.models.vehicles.vans import vans

MAKERS: Mapping[str, Callable[[], Mapping[str, Mesh]]] = {
    "car": cars, "van": vans, "truck": trucks, "bus": buses, "cyclist": cyclists, "pedestrian": pedestrians,
    "house": houses, "tree": trees, "pole": poles, "sign": signs, "fence": fences, "bollard": bollards,
    "furniture": furniture}


def standard() -> dict[str, dict[str, Mesh]]:
    """Kind -> name -> mesh, for the kinds that `Street` draws without further ado; docs/street_models.md lists them.
    The first call makes them, which takes seconds."""
    return {kind: dict(make()) for kind, make in MAKERS.items()}
