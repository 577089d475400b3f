"""Ed25519: who vouches for what is stored.

keys              pairs of keys, their texts and files, and signatures
bundle_signature  the signatures beside an extractor bundle
"""
