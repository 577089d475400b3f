"""Bytes to crops, in a process that can do nothing else.

In the worker:

    pool          the child processes, and who may use which
    pipes         bytes to and from a child, within a deadline
    wire          what a child may say, and what is believed of it

In the child:

    child         its main loop
    confinement   what the kernel refuses it from then on
    decode        from the bytes of a file to crops, step by step
    image_header  format and size, read before any pixel is decoded
    jpeg_quality  how strongly a JPEG was compressed
    pixels        the picture as it is judged, and its digest
    crops         where crops are taken, and which carry no evidence
"""
