"""What a person types, and the one place that builds what the rest is given.

contribute         adds all of them to the program
options            every option that more than one command has
workshop           bundle, policy, decoders and registry, built from the settings

run                latentprint run; supervisor watches several slots
stream             latentprint submit, watch, topics
submit, pace       files become events, at a rate
watch, watch_lines verdicts and dead letters, one line each
local_files        latentprint scan, register
scan               verdicts for local files
dlq                latentprint dlq
dead_letter_queue  dead letters listed, redriven, discarded

write_schemas, write_commands   the generated documents: make schemas
"""
