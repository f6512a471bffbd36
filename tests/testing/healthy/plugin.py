"""Registration."""

from ganzoo import Component, hookimpl

PAPER = "arXiv:1406.2661"


@hookimpl
def ganzoo_components():
    return [
        Component("generator", "sketch", "healthy.parts:Sketch", "two layers", PAPER),
        Component("discriminator", "judge", "healthy.parts:Judge", "two layers", PAPER),
        Component("loss", "logistic", "healthy.parts:Logistic", "cross-entropies", PAPER),
        Component("regularizer", "flat", "healthy.parts:Flat", "small gradients at real samples", "arXiv:1801.04406"),
        Component("augmentation", "tremble", "healthy.parts:Tremble", "larger or smaller"),
        Component("kind", "pulse", "healthy.parts:Pulse", "beats"),
        Component("dataset", "pulses", "healthy.parts:Pulses", "a few pulses"),
        Component("dataset", "dots", "healthy.parts:Dots", "noise of two kinds"),
        Component("metric", "light", "healthy.parts:Light", "brighter or darker"),
        Component("extractor", "squint", "healthy.parts:Squint", "images as nine patches"),
        Component("game", "duel", "healthy.duel:Duel", "two players, and a memory", PAPER),
        Component("optimizer", "descent", "healthy.parts:descent", "downhill, with momentum"),
        Component("schedule", "fall", "healthy.parts:Fall", "a straight line down"),
        Component("command", "echo-words", "healthy.commands:echo_words", "words, one a line"),
        Component("recipe", "duel_dots", "healthy:duel_dots.toml", "the duel, on dots"),
    ]
