"""Documents that are written from the program: `make schemas`.

write_schemas   JSON Schemas of the records, and the AsyncAPI document
write_commands  docs/commands.md
write_figures   the table of figures in docs/operations/seeing.md
write_rights    the tables of docs/operations/rights.md
write_chart     what the Helm chart takes: schema of its values, topics, rights, alarms
"""
