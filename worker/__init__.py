"""From image event to verdict. A folder is a step, and this is the way of an event through them:

    stream      polls the record, and hands it from thread to thread
    events      the record becomes an image event, or a dead letter that says why not
    decoder     its bytes become crops, in a process that can do nothing else
    registry    the generators that a batch is compared with, and how fresh they are
    judge       may it be judged at all? if so, the crops are handed to
    extractor   which makes a fingerprint and a score of them
    judge       fingerprint, score and generators become a verdict
    events      the verdict becomes records
    stream      which are published and committed with the offset, in one transaction

`broker` is how Kafka is reached; `enrol` makes a generator's entry out of samples; `commands` is
what a person types. Each folder's docstring names its files in the order in which they are met.
Beside them: `program` runs the commands, `settings` (read by `settings_sources`, held to
`settings_rules`) and `errors` are everybody's, `telemetry` sets up the log, `metrics` counts,
`core_dumps` forbids them, `watchdog` ends a process that hangs, `failpoints` are where the scenario
tests make it fail, `loading` is around what takes long to load, `compiled_loops` keeps what was
compiled of these very sources.

A *generator* that is registered is a *model*. An *answer* is a verdict or a dead letter; *outcome*
is the verdict's word for what was found. A fingerprint *space* is named by its bundle's digest.
"""
