"""A tenant's own photographs to the calibration that the registry keeps.

rows     one photograph as it will be kept, and rows to parts
files    a folder's photographs through the worker's decoders and extractor
stream   what the topic of fingerprints holds, without the share that may be synthetic
report   what is stored, what it allows, what was measured: as text and as JSON
"""
