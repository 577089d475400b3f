"""Images that an event only refers to, fetched by a process that can do little else.

In the worker:

    targets     what a reference names, and whether a list allows it
    pool        the fetch processes: started, asked, replaced
    wire        what the two sides say to each other
    room        how many bytes of fetched images there may be at once
    outages     when a store counts as away, and its events wait

In the fetch process:

    child       its loop: four lanes, one fetch each
    fetch       from a target to the bytes of a file
    files       `file:` below an allowed folder, by no link
    stores      `s3:`, `gs:`, `az:` as one signed address
    web         one GET over https, bounded in time and in bytes
    connection  from a host to a connection: its addresses, TLS, the clock
    addresses   which addresses may be reached
"""
