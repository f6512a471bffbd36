"""Sound, text and animations of a run's samples on its report, beside the pictures: what their kind gives as media."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from ganzoo.core.game import makes_samples
from ganzoo.errors import GanzooError
from ganzoo.kinds.kind import Kind, Media
from ganzoo.runs.run import Run

N_SAMPLES = 8
"""Samples whose media a report shows."""

EMBEDDED = ("audio", "image", "video")
"""Kinds of MIME types that a page can embed by themselves."""


@dataclass(frozen=True, slots=True)
class EmbeddedMedia:
    """One medium: "audio", "image", "video" with its data URI as source, or "text"; caption: what it is."""

    element: str
    source: str
    text: str
    caption: str


def sample_media(run: Run) -> list[EmbeddedMedia]:
    """The media of a few samples of the newest checkpoint; none where their kind has none, or none can be sampled."""
    kind = run.kinds.sample
    if type(kind).media is Kind.media:
        return []
    try:
        if not makes_samples(run.game):
            return []
        return embed(kind.media(run.sample(N_SAMPLES)))
    except GanzooError:  # no checkpoint, or a plugin that is gone: the rest of the report does not need them
        return []


def embed(media: Sequence[Media]) -> list[EmbeddedMedia]:
    """Media as a page embeds them; those of other types are left out."""
    found = []
    for each in media:
        element = each.type.partition("/")[0]
        if element == "text":
            found.append(EmbeddedMedia("text", "", each.content.decode("utf-8", "replace"), each.caption))
        elif element in EMBEDDED:
            source = f"data:{each.type};base64,{base64.b64encode(each.content).decode()}"
            found.append(EmbeddedMedia(element, source, "", each.caption))
    return found
