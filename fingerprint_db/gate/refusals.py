"""Why samples are refused: what was seen, what was expected, what to do."""

from collections.abc import Iterator

from fingerprint_db.gate.kinds import MOST_STRANGE, Kinds
from fingerprint_db.gate.likeness import LEAST_TOLD, OUT_OF_SOURCES, Likeness

MINIMUM_SAMPLES = 10  # below, a mean says little and no limit can be set
STANDARD_SAMPLES = 40  # below, entries are provisional; 50 are asked for, some are set aside
SIBLING_SAMPLES = 200  # below, siblings of one family are parted less well than they could be
# Share of the samples that must be recognised under some condition; below, a registration would
# only promise what the worker cannot do. Of families left out all but one group reach 0.76.
MINIMUM_RECOGNISED = 0.5
# Share of samples that may be likelier under a registered model.
MAXIMUM_CONFUSED = 0.3
# Mean squared distance from the samples' mean, in within-class deviations of the background, over
# its expectation: one generator's samples stay near 1, a folder of mixed origin lies above. In a
# space that knows few families an unseen network over photographs scatters 1.9 (512 pixels) to 5
# (128 pixels), photographs after enlargements by several factors 36.
MAXIMUM_SPREAD = 12.0
# Measured with the zoo in an earlier space: 60 pictures of one generator scatter 0.49 to 1.5, 60
# crops of one picture, moved by up to an eighth of its side, 0.07 to 0.3 and mostly below 0.15.
MINIMUM_SPREAD = 0.15


def too_few(count: int) -> str:
    """So few samples are left that nothing can be computed of them."""
    return (
        f"too few samples: {count} usable, at least {MINIMUM_SAMPLES} needed ({STANDARD_SAMPLES}"
        " for verdicts that name the model); add sample images"
    )


def of_spread(spread: float) -> Iterator[str]:
    """By how widely the samples scatter, against one generator's images."""
    if spread > MAXIMUM_SPREAD:
        yield (
            f"inconsistent samples: they scatter {spread:.1f} times as widely as one generator's"
            f" images (limit {MAXIMUM_SPREAD:g}); the folder seems to mix several origins, register"
            " each on its own"
        )
    if spread < MINIMUM_SPREAD:
        yield (
            f"samples too much alike: they scatter {spread:.2f} times as widely as one generator's"
            f" images (at least {MINIMUM_SPREAD:g}); the folder seems to hold few pictures, moved"
            " or re-encoded, or drawn over and over. Add distinct pictures"
        )


def of_recognition(best: float, condition: str, undecidable: bool) -> Iterator[str]:
    """By the share of the samples recognised under the best of the conditions."""
    if best >= MINIMUM_RECOGNISED:
        return
    yield (
        f"inseparable from real photos: under no condition would more than {best:.0%} of the"
        f" samples be recognised (at least {MINIMUM_RECOGNISED:.0%}; best under {condition}),"
        " so that verdicts would hardly ever name what is registered"
        + (
            ". The bundle was calibrated on too few photographs of this size for the policy's"
            " alpha_name: raise it, register from larger pictures, or calibrate on more photographs"
            if undecidable
            else "; are these samples generated?"
        )
    )


def of_likeness(likeness: Likeness) -> Iterator[str]:
    """By how the samples, as a group, differ from photographs."""
    if likeness.like_one_source:
        group = likeness.standing
        yield (
            "like photographs of one source: by the test with nothing registered the samples as a"
            f" group stand out by {group.standing_out:.1f} deviations of the means of"
            f" {group.sources} sources of real photographs (the furthest source:"
            f" {group.furthest_source:.1f}; at least {OUT_OF_SOURCES:g} needed, or more than 0"
            " where no photograph is as typical of them and scores as high as nine in ten of"
            " them); are these samples generated, or photographs of one camera, one archive or one"
            " design?"
        )
    if likeness.like_their_kind:
        yield (
            f"like real photographs of their kind: only {likeness.told:.0%} of the samples are told"
            f" from photographs of the same format and history (at least {LEAST_TOLD:.0%} needed);"
            " what they share seems to be what was done to them. Register"
            " from files as the generator wrote them"
        )


def of_kinds(kinds: Kinds) -> Iterator[str]:
    """By the kind of pictures that the samples are."""
    if kinds.refused:
        yield (
            f"pictures of no known kind: {kinds.strange:.0%} of the samples are unlike all"
            f" photographs behind the bundle (at most {MOST_STRANGE:.0%}){_odd(kinds)}; what is"
            " registered here would be found in pictures of any origin that are odd in the same"
            " way. Register from files as the generator wrote them"
        )


def warning_of_kinds(kinds: Kinds) -> Iterator[str]:
    """A kind of which few photographs are, without being refused for it."""
    if kinds.doubtful and not kinds.refused:
        yield (
            f"{kinds.unfamiliar:.0%} of the samples are of a kind of which the bundle knows few"
            f" photographs{_odd(kinds)}: how often real pictures of that kind are taken for this"
            " generator is not known"
        )


def of_confusion(nearest: str | None, confusion: float) -> Iterator[str]:
    """By the share of the samples that are likelier under a registered model."""
    if confusion > MAXIMUM_CONFUSED:
        yield (
            f"inseparable from the registered model {nearest!r}: {confusion:.0%} of the samples are"
            f" likelier under it (limit {MAXIMUM_CONFUSED:.0%}); if they are the same generator"
            " nothing need be registered, else retire the other first"
        )


def _odd(kinds: Kinds) -> str:
    return f": {', '.join(kinds.odd)}" if kinds.odd else ""
