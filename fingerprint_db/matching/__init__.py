"""Fingerprints against registered models and against photographs; arrays in, arrays out.

rows         means by the hundred thousand: which can matter to an image, and what they say
enrolled     the registered models of one codec, and what they say of fingerprints
told         what they say of an image, all of them or the few that matter
registered   the same in all spaces that files of a codec are read in, photographs beside them
photographs  scores of real photographs to p-values: by photograph, by source, in the worst source
levels       what the whole registry scores on the cohort's photographs, by size class
maxima       the highest score of any model on each photograph, kept as models come and go
tenant       a tenant's own photographs of one codec
certified    what they allow, and the rates measured on those held back
pooled       several images against groups of photographs of one source
limits       how far a model's own images may lie from it
alike        how a score stands among the photographs most like the picture
familiarity  how far a picture's kind lies from the photographs that it is judged by
"""
