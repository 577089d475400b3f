r"""What a model may be called, the id that is made of its name, and how strangers' text is shown.

A name may be in any script; what would change a terminal or hide in a line of a log may not be in
it. An id is plain ASCII, since it stands in keys, in addresses and on command lines.
"""

import getpass
import hashlib
import unicodedata

from fingerprint_db.errors import WrongSettings

MAX_NAME_CHARACTERS = 200
_MAX_ID = 64  # as fingerprint_db.model_fingerprint demands
_DIGEST_CHARACTERS = 8

_JOINERS = "\u200c\u200d"  # Persian, Indic scripts and emoji are written with them
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


def author_of(by: str | None) -> str:
    """Who answers for a change: `by`, or the user's login name.

    WrongSettings where there is none: in a container a user may have no name.
    """
    if by:
        return by
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:
        raise WrongSettings("your user has no login name; say with --by who does this") from error


def check_name(name: str, what: str = "name") -> str:
    """`name` in Unicode's composed form, without blanks around it.

    Raises WrongSettings for an empty or overlong name, and for control and formatting characters.
    """
    composed = unicodedata.normalize("NFC", name).strip()
    if not composed:
        raise WrongSettings(f"the {what} is empty; expected 1 to {MAX_NAME_CHARACTERS} characters")
    if len(composed) > MAX_NAME_CHARACTERS:
        raise WrongSettings(
            f"the {what} has {len(composed)} characters; expected 1 to {MAX_NAME_CHARACTERS}"
        )
    for character in composed:
        if unicodedata.category(character) in _INVISIBLE and character not in _JOINERS:
            raise WrongSettings(
                f"the {what} {printable(composed)!r} holds {printable(character)}, a control or"
                " formatting character, which would be unseen in verdicts; leave it out"
            )
    return composed


def model_id_of(name: str) -> str:
    """A model id from a name: lower case, no accents, all else a hyphen, at most 64 characters.

    Where letters or digits are lost on the way, or the end is cut, 8 characters of the name's
    SHA-256 are added: names that differ there alone get different ids, and one name the same.
    """
    folded = unicodedata.normalize("NFKD", name).casefold()  # the sign of C/kg has a capital in it
    decomposed = unicodedata.normalize("NFKD", folded)
    kept = [c for c in decomposed if not unicodedata.combining(c)]
    slug = "".join(c if c.isascii() and (c.isalnum() or c in "._") else " " for c in kept)
    slug = "-".join(slug.split()).strip("-._")
    lost = any(c.isalnum() and not c.isascii() for c in kept)
    if slug and not lost and len(slug) <= _MAX_ID:
        return slug
    digest = hashlib.sha256(unicodedata.normalize("NFC", name).encode()).hexdigest()
    room = _MAX_ID - _DIGEST_CHARACTERS - 1
    start = slug[:room].rstrip("-._") or "model"
    return f"{start}-{digest[:_DIGEST_CHARACTERS]}"


def printable(text: str) -> str:
    r"""Text with every control and formatting character shown as an escape, as in `\x1b`."""
    return "".join(
        c
        if unicodedata.category(c)[0] != "C" and c not in "\u2028\u2029"
        else c.encode("unicode_escape").decode()
        for c in text
    )


def width(text: str) -> int:
    """The columns that `text` takes on a terminal: two for each wide character."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )
