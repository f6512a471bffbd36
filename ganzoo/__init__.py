"""ganzoo: a plugin-based zoo of generative adversarial networks. `ganzoo.train(recipe)` plays a recipe."""

__version__ = "0.1.0"
