"""What is asked of samples before they become an entry; arrays in, findings out.

enrolment          fingerprints of samples to an entry, or why not
sample_statistics  mean, variance and limit of one condition, and the samples that do not belong
recognition        how many of the samples would be named, each left out of the mean in turn
likeness           whether samples are only as far from photographs as one source of them is
kinds              whether samples are of a kind that the photographs do not show
refusals           why samples are refused, in words
report             what the gate finds
"""
