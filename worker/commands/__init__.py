"""What a person types, and the one place that builds what the rest is given.

contribute         the file of each, imported when it is asked for
options            every option that more than one command has
workshop           bundle, policy, decoders and registry, built from the settings

run                latentprint run; supervisor watches several slots
health             latentprint health: is it live, ready, started?
leave              latentprint leave: slots that ended for good
doctor             latentprint doctor: what is wrong, and what to do
stream             latentprint submit, watch, agreement, topics
local_files        latentprint scan, explain, register
scan               verdicts for local files
explain            one of them as a page
pool               latentprint pool: verdicts of one account or folder, taken together
calibrate          latentprint registry calibrate: a tenant's own photographs
dlq                latentprint dlq
notify             latentprint notify
"""
