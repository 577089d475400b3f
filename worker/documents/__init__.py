"""Documents that are written from the program: `make schemas`.

write_schemas   JSON Schemas of the records, and the AsyncAPI document
write_commands  docs/commands.md
"""
