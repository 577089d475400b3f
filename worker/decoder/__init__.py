"""Bytes to crops or regions, in a process that can do nothing else.

In the worker:

    pool          the decoders, and who may use which
    process       one decoder: a template process and the child that it forked last
    posture       whether they are confined well enough for strangers' images
    pipes         bytes to and from a child, within a deadline
    wire          what a child may say, and what is believed of it

In the child:

    child         the template's loop, and its children's
    confinement   what the kernel refuses it from then on
    decode        from the bytes of a file to crops or regions, step by step
    image_header  format and size, read before any pixel is decoded
    jpeg_quality  how a JPEG was compressed: tables, chroma, quality
    completeness  whether a file holds all of its picture
    file_kinds    what a file is that is no JPEG, PNG or WebP, in words
    pixels        the picture as it is judged, and its digest
    crops         where crops are taken, and which carry no evidence
    regions       where all pixels are read: which tiles, in which stages
    cut           the pixels of crops or regions, out of the picture
"""
