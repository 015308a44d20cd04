"""A renderer on the device that its user chose."""

from scenefit.renderers import Renderer, renderer_info


def renderer_on(renderer: Renderer, device: str) -> Renderer:
    """The renderer on a device, if it is on the CPU and can choose; else as it is, for its frames are arrays of numpy
    wherever it renders."""
    info = renderer_info(renderer)
    if device == "cpu" or info.device != "cpu" or info.to is None:
        return renderer
    return info.to(device)
