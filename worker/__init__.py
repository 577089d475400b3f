"""From image event to verdict. A folder is a step, and this is the way of an event through them:

    stream      polls the record, hands it from thread to thread, and commits its answer
    events      the record becomes an image event, or a dead letter that says why not
    decoder     its bytes become crops, in a process that can do nothing else
    extractor   the crops become a fingerprint and a score
    registry    the generators that the fingerprint is compared with, and how fresh they are
    judge       fingerprint, score and generators become a verdict
    events      the verdict becomes records
    stream      which are published and committed with the offset, in one transaction

`broker` is how Kafka is reached; `enrol` makes a generator's entry out of samples; `commands` is
what a person types. Each folder's docstring names its files in the order in which they are met.
"""
