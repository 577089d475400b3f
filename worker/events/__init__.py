"""What comes in and goes out, and their bytes.

redrive       a dead letter that comes back, as the event that it was
cloudevents   a Kafka record as CloudEvents 1.0 binds it, read and written
attributes    what an attribute of it may be
trace_context the trace that an event belongs to, carried on
json_format   the event as one JSON document, attributes and data together
image_event   the event with its image, or why it is none
verdict_parts what a verdict is made of: candidates, tests, evidence, the file
records       verdict, alert, fingerprint record
dead_letter   the record of an event that will never work, byte for byte
schemas/      their JSON Schemas and the AsyncAPI document, generated
"""
