"""Whether what a registry holds is what somebody vouched for, and still all of it.

settings    which keys are trusted, and the one that signs
signatures  entries and photographs against the trusted keys
checkpoint  a note of how far a history was, to be kept elsewhere; what it proves later
audit       all of that at once, with digests, chain and roots
"""
