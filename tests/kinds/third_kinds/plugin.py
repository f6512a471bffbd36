"""Registration."""

from ganzoo import Component, hookimpl

KINDS = ("waveform", "token", "clip", "volume", "row", "series")
SHAPES = (*KINDS, "plane")


@hookimpl
def ganzoo_components():
    own = [Component("kind", f"third-{name}", f"third_kinds.kinds:{name.title()}", f"a {name}") for name in KINDS]
    for name in SHAPES:
        network = f"third_kinds.networks:{name.title()}"
        own += [
            Component("dataset", f"third-{name}-data", f"third_kinds.data:{name.title()}Data", "made up"),
            Component("generator", f"third-{name}", f"{network}Generator", f"makes a {name}"),
            Component("discriminator", f"third-{name}", f"{network}Discriminator", f"looks at a {name}"),
            Component("recipe", f"third_{name}", f"third_kinds:{name}.toml", f"{name}s"),
        ]
    return own
