"""Texts about pets that nobody wrote: the plain one, and the HTML one with its tracker pixel."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lab.simulator import vocabulary
from lab.simulator.shapes import chance

if TYPE_CHECKING:
    from random import Random

MEDIAN_CHARS = 700
SPREAD = 1.0
LONGEST_CHARS = 20_000


def pet_name(rng: Random) -> str:
    """Mostly one word; some hold an entity, an emoji, trailing spaces, or are no pet at all."""
    name = rng.choice(vocabulary.NAMES)
    if chance(rng, 0.07):
        odd = rng.choice(vocabulary.ODD_NAMES)
        return odd.format(name=name, other=rng.choice(vocabulary.NAMES))
    return name


def plain_text(rng: Random, name: str, site: str, length: int | None = None) -> str:
    r"""Log-normal in length, with \n between paragraphs, entities left in, some with contacts."""
    wanted = length or min(LONGEST_CHARS, int(MEDIAN_CHARS * math.exp(rng.gauss(0.0, SPREAD))))
    sentences = rng.choices(vocabulary.SENTENCES, k=max(1, wanted // 68))
    for at in range(4, len(sentences), 5):
        sentences[at] += "\n"
    if chance(rng, 0.38):
        sentences.append(f"Fill in the form at https://{site}/adopt first.")
    if chance(rng, 0.20):
        sentences.append(f"Write to hello@{site} with questions.")
    if chance(rng, 0.12):
        sentences.append(f"Or call (555) 555-01{rng.randrange(100):02d} after five.")
    text = " ".join(sentences).replace("NAME", name.strip()).replace("\n ", "\n")
    if chance(rng, 0.30):
        text = text.replace("'", "&#39;").replace("; ", ";&nbsp;") + "&nbsp;"
    return text + " \N{SPARKLING HEART}" if chance(rng, 0.05) else text


def tracker_url(animal_id: int) -> str:
    """The address of the pixel that whoever shows a pet must show with it."""
    return f"https://tracker.rescuegroups.org/pet?{animal_id}&a=&h="


def html_text(rng: Random, plain: str, animal_id: int) -> str:
    """The wrapper around the text and the pixel; the pixel's ampersands are not escaped."""
    if chance(rng, 0.5):
        inner = plain.replace("\n", "<br />\r\n")
    else:
        paragraphs = [part for part in plain.split("\n") if part]
        inner = "".join(f'<p style="margin:0"><span>{part}</span></p>\n' for part in paragraphs)
    pixel = f'<img src="{tracker_url(animal_id)}" width="0" height="0" alt="" />'
    return f'<div class="rgDescription">{inner}{pixel}</div>'
