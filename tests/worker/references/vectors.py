"""What a hostile reference may be, each with a name; the page of references lists the same.

`python -m tests.worker.references.vectors` prints the table of docs/operations/references.md.
"""

from dataclasses import dataclass

PUBLIC = "93.184.216.34"
"""An address that may be reached; in these tests nothing is there."""


@dataclass(frozen=True)
class Vector:
    """One attack. `{sink}` stands for the port of a listener on loopback that nobody may reach.

    `answers` is what the resolver says of the host, one list for each time that it is asked.
    """

    name: str
    reference: str
    about: str
    answers: tuple[tuple[str, ...], ...] = ()
    ends: str = "fetch.refused"


def _host(name: str, host: str, about: str) -> Vector:
    return Vector(name, f"https://{host}/a.jpg", about)


def _resolved(name: str, about: str, *addresses: str) -> Vector:
    return Vector(name, "https://images.example.com:{sink}/a.jpg", about, (addresses,))


SCHEMES = tuple(
    Vector(f"scheme {scheme}", reference, "another scheme than the five that are read")
    for scheme, reference in {
        "http": "http://images.example.com/a.jpg",
        "ftp": "ftp://images.example.com/a.jpg",
        "gopher": "gopher://127.0.0.1:{sink}/_GET",
        "dict": "dict://127.0.0.1:{sink}/info",
        "ldap": "ldap://127.0.0.1:{sink}/",
        "data": "data:image/png;base64,iVBORw0KGgo=",
        "jar": "jar:https://images.example.com/a.jar!/a.jpg",
        "none": "//127.0.0.1:{sink}/a.jpg",
        "relative": "../a.jpg",
        "upper case": "HTTPS://images.example.com/a.jpg",
    }.items()
)

HOSTS = (
    _host("IPv4", "127.0.0.1:{sink}", "an address in place of a name"),
    _host("IPv4 decimal", "2130706433:{sink}", "127.0.0.1 as one number"),
    _host("IPv4 octal", "0177.0.0.1:{sink}", "127.0.0.1 with an octal part"),
    _host("IPv4 hexadecimal", "0x7f000001:{sink}", "127.0.0.1 as one hexadecimal number"),
    _host("IPv4 hexadecimal parts", "0x7f.0x0.0x0.0x1:{sink}", "the same, part by part"),
    _host("IPv4 short", "127.1:{sink}", "127.0.0.1 with two parts"),
    _host("IPv4 zero", "0:{sink}", "0.0.0.0, which leads to this machine"),
    _host("IPv4 with a dot", "127.0.0.1.:{sink}", "an address that ends like a name"),
    _host("IPv6 loopback", "[::1]:{sink}", "an address of IPv6"),
    _host("IPv6 long", "[0:0:0:0:0:0:0:1]:{sink}", "the same, written out"),
    _host("IPv6 mapped", "[::ffff:127.0.0.1]:{sink}", "127.0.0.1 inside IPv6"),
    _host("IPv6 mapped hexadecimal", "[::ffff:7f00:1]:{sink}", "the same in hexadecimal"),
    _host("IPv6 scope", "[fe80::1%25eth0]:{sink}", "an interface in the address"),
    _host("metadata", "169.254.169.254", "where AWS, Google and Azure keep credentials"),
    _host("metadata name", "metadata.google.internal", "the same by name"),
    _host("localhost", "localhost:{sink}", "this machine by name"),
    _host("localhost below", "images.localhost:{sink}", "a name that is always this machine"),
    _host("localhost old", "localhost.localdomain:{sink}", "this machine, as old systems say"),
    _host("name of an address", "127.0.0.1.nip.io:{sink}", "a public name of 127.0.0.1"),
    _host("trailing dot", "images.example.com.", "a listed name with the root's dot"),
    _host("trailing dots", "images.example.com..", "two of them"),
    _host("empty label", "images..example.com", "a listed name with an empty part"),
    _host("prefix of a listed name", "images.example.com.evil.test", "a listed name goes on"),
    _host("suffix without a dot", "evilcdn.example.com", "a listed suffix without its dot"),
    _host("suffix itself", "cdn.example.com", "*.SUFFIX lists what is below it alone"),
    _host("full width", "\uff49mages.example.com", "a sign that IDNA takes for an i"),
    _host("ideographic dot", "images\u3002example.com", "a sign that IDNA takes for a dot"),
    _host(
        "circled digits",
        "\u2460\u2461\u2466.\u24ea.\u24ea.\u2460:{sink}",
        "signs that IDNA takes for 127.0.0.1",
    ),
    _host("confusable", "im\u0430ges.example.com", "a Cyrillic letter"),
    _host("confusable in ASCII", "xn--imges-3we.example.com", "the same, encoded"),
    _host("escaped host", "%31%32%37.0.0.1:{sink}", "127.0.0.1 with escapes"),
    _host("escaped dot", "images%2eexample.com", "a listed name with an escape"),
    _host("underscore", "images_example.com", "no sign of a host's name"),
)

URLS = (
    _host("user name", "images.example.com@127.0.0.1:{sink}", "a listed name as a user name"),
    _host("user and password", "a:b@images.example.com", "credentials in the address"),
    _host("password as a port", "images.example.com:443@127.0.0.1:{sink}", "a port as a password"),
    _host("escaped at", "images.example.com%40127.0.0.1:{sink}", "an escaped @"),
    _host("backslash", "images.example.com\\@127.0.0.1:{sink}", "a slash to some, none to others"),
    Vector(
        "backslashes",
        "https:\\\\127.0.0.1:{sink}\\a.jpg",
        "an address as browsers would mend it",
    ),
    _host("fragment", "127.0.0.1:{sink}#@images.example.com", "a listed name behind #"),
    _host("query before host", "127.0.0.1:{sink}?@images.example.com", "a listed name behind ?"),
    Vector("fragment at the end", "https://images.example.com/a.jpg#x", "nothing is asked of #"),
    Vector("three slashes", "https:///images.example.com/a.jpg", "an empty host"),
    Vector("one slash", "https:/127.0.0.1:{sink}/a.jpg", "no host at all"),
    Vector("no slash", "https:images.example.com/a.jpg", "no host at all"),
    _host("other port", "images.example.com:22", "a port that is not listed with the host"),
    _host("port zero", "images.example.com:0", "no port"),
    _host("port with a zero", "images.example.com:0443", "a port that another parser reads octal"),
    _host("port empty", "images.example.com:", "a port is begun"),
    _host("port too large", "images.example.com:65979", "65979 is 443 to those who cut it"),
    _host("port escaped", "images.example.com:%34%34%33", "a port with escapes"),
    _host("port full width", "images.example.com:\uff14\uff14\uff13", "digits of another script"),
    Vector(
        "line break in the path",
        "https://images.example.com/a\r\nHost: 127.0.0.1\r\n\r\n",
        "a header of the stranger's",
    ),
    Vector("blank in the path", "https://images.example.com/a b.jpg", "the end of a request line"),
    Vector("tab in the scheme", "ht\ttps://images.example.com/a.jpg", "browsers take it away"),
    Vector("blank in front", " https://images.example.com/a.jpg", "browsers take it away"),
    Vector("NUL", "https://images.example.com/a.jpg\0.png", "the end of a text to some"),
    Vector("broken escape", "https://images.example.com/%zz", "a % that begins no escape"),
    Vector("brackets", "https://[images.example.com]/a.jpg", "a name as an address of IPv6"),
    Vector("two hosts", "https://images.example.com,127.0.0.1:{sink}/a.jpg", "a list of hosts"),
)

ADDRESSES = (
    _resolved("resolves to loopback", "a listed name whose address is 127.0.0.1", "127.0.0.1"),
    _resolved("resolves to loopback 2", "the whole of 127.0.0.0/8 is this machine", "127.8.8.8"),
    _resolved("resolves to nothing", "0.0.0.0 is this machine", "0.0.0.0"),
    _resolved("resolves to private 10", "an address of a private network", "10.0.0.1"),
    _resolved("resolves to private 172", "an address of a private network", "172.16.0.1"),
    _resolved("resolves to private 192", "an address of a private network", "192.168.0.1"),
    _resolved("resolves to shared", "carriers' own, which is_private does not know", "100.64.0.1"),
    _resolved("resolves to metadata", "AWS, Google, Azure", "169.254.169.254"),
    _resolved("resolves to metadata Alibaba", "inside the carriers' network", "100.100.100.200"),
    _resolved("resolves to metadata Azure", "at a public address", "168.63.129.16"),
    _resolved("resolves to metadata IPv6", "AWS over IPv6", "fd00:ec2::254"),
    _resolved("resolves to benchmarks", "198.18.0.0/15", "198.18.0.1"),
    _resolved("resolves to documentation", "203.0.113.0/24", "203.0.113.7"),
    _resolved("resolves to IETF", "has no flag in ipaddress but is_global", "192.0.0.8"),
    _resolved("resolves to multicast", "is_global, and nobody's", "224.0.0.1"),
    _resolved("resolves to broadcast", "everybody on the network", "255.255.255.255"),
    _resolved("resolves to ::1", "this machine over IPv6", "::1"),
    _resolved("resolves to ::", "this machine, too", "::"),
    _resolved("resolves to mapped", "127.0.0.1 inside IPv6", "::ffff:127.0.0.1"),
    _resolved("resolves to mapped shared", "is_global before 3.13", "::ffff:100.64.0.1"),
    _resolved("resolves to compatible", "127.0.0.1 in the oldest form", "::127.0.0.1"),
    _resolved("resolves to NAT64", "hides 127.0.0.1, and is global", "64:ff9b::7f00:1"),
    _resolved("resolves to a network's NAT64", "a prefix of its own", "64:ff9b:1::7f00:1"),
    _resolved("resolves to 6to4", "hides 127.0.0.1, and is global", "2002:7f00:1::"),
    _resolved("resolves to Teredo", "hides 127.0.0.1", "2001:0:7f00:1::80ff:fffe"),
    _resolved("resolves to link-local", "a neighbour on the cable", "fe80::1%eth0"),
    _resolved("resolves to site-local", "old, private and is_global", "fec0::1"),
    _resolved("resolves to unique local", "private in IPv6", "fc00::1"),
    _resolved("resolves to multicast IPv6", "all nodes", "ff02::1"),
    _resolved("mixed answer", "one address is public, the other is not", PUBLIC, "127.0.0.1"),
    _resolved("mixed answer IPv6", "the same over IPv6", PUBLIC, "::1"),
    _resolved("alias", "a CNAME ends at 127.0.0.1: the address counts, not the way", "127.0.0.1"),
    Vector(
        "wildcard to loopback",
        "https://evil.cdn.example.com:{sink}/a.jpg",
        "a name below a listed suffix whose address is 127.0.0.1",
        (("127.0.0.1",),),
    ),
    Vector(
        "rebinding",
        "https://images.example.com:{sink}/a.jpg",
        "the first answer is public, the second 127.0.0.1: nothing is asked twice in one try",
        ((PUBLIC,), ("127.0.0.1",)),
        ends="fetch.unavailable",
    ),
)

OBJECTS = tuple(
    Vector(name, reference, about)
    for name, reference, about in (
        ("s3 endpoint", "s3://127.0.0.1:{sink}/uploads/a.jpg", "a host in place of a bucket"),
        ("s3 user", "s3://uploads@127.0.0.1:{sink}/a.jpg", "a host behind the bucket"),
        ("s3 query", "s3://uploads/a.jpg?endpoint=http://127.0.0.1:{sink}", "an endpoint by ?"),
        ("s3 fragment", "s3://uploads/a.jpg#x", "nothing is asked of #"),
        ("s3 other bucket", "s3://secrets/a.jpg", "a bucket that is not listed"),
        ("s3 longer bucket", "s3://uploads-private/a.jpg", "a listed name goes on"),
        ("s3 parents", "s3://tenants/eu/../us/a.jpg", "out of a listed prefix"),
        ("s3 escaped parents", "s3://tenants/eu/%2e%2e/us/a.jpg", "the same with escapes"),
        ("s3 other prefix", "s3://tenants/us/a.jpg", "beside a listed prefix"),
        ("s3 line break", "s3://uploads/a%0d%0aHost:x", "a header of the stranger's"),
        ("s3 no key", "s3://uploads/", "the listing of a bucket"),
        ("gs of s3", "gs://uploads/a.jpg", "a bucket of another provider"),
        ("az of s3", "az://uploads/a.jpg", "a container of another provider"),
    )
)

FILES = tuple(
    Vector(name, reference, about, ends=ends)
    for name, reference, about, ends in (
        ("file environment", "file:///proc/self/environ", "the process's secrets", ""),
        ("file host", "file://127.0.0.1:{sink}{root}/a.jpg", "a file of another machine", ""),
        ("file share", "file:////127.0.0.1{root}/a.jpg", "a file of another machine", ""),
        ("file localhost", "file://localhost{root}/a.jpg", "the plain form alone is read", ""),
        ("file relative", "file:a.jpg", "from wherever the process stands", ""),
        ("file query", "file://{root}/a.jpg?x", "no part of a path", ""),
        ("file parents", "file://{root}/../secret", "out of the folder", ""),
        ("file escaped parents", "file://{root}/%2e%2e/secret", "the same with escapes", ""),
        ("file parents and back", "file://{root}/../{name}/a.jpg", "out and in again", ""),
        ("file escaped slash", "file://{root}/..%2fsecret", "a slash that is none to some", ""),
        ("file NUL", "file://{root}/a.jpg%00.png", "the end of a path to the kernel", ""),
        ("file empty part", "file://{root}//a.jpg", "a path that others would mend", ""),
        ("file folder beside", "file://{root}-other/a.jpg", "a folder whose name goes on", ""),
        ("file folder itself", "file://{root}", "no file", ""),
        ("file link out", "file://{root}/link-out", "a link to a file outside", ""),
        ("file link in", "file://{root}/link-in", "no link is followed, nor this one", ""),
        ("file link of a folder", "file://{root}/folder-out/secret", "a link on the way", ""),
        ("file link chain", "file://{root}/chain", "a link to a link to outside", ""),
        ("file link to itself", "file://{root}/loop", "a link without an end", ""),
        ("file link to environment", "file://{root}/environ", "a link into /proc", ""),
        ("file pipe", "file://{root}/pipe", "reading it would wait for ever", ""),
        ("file socket", "file://{root}/socket", "no file", ""),
        ("file device", "file://{root}/zero", "/dev/zero has no end", ""),
        ("file folder", "file://{root}/inner", "no file", ""),
        ("file through a file", "file://{root}/a.jpg/b.jpg", "a file as a folder", ""),
        ("file long part", "file://{root}/" + "x" * 300, "longer than any name", ""),
        ("file missing", "file://{root}/none.jpg", "there is no such file", "fetch.not_found"),
        ("file sparse", "file://{root}/sparse", "a file of 8 GiB that fills no disk", "too_large"),
    )
)

ANSWERS = tuple(
    Vector(name, f"https://images.test/{name.replace(' ', '-')}", about, ends=f"fetch.{ends}")
    for name, about, ends in (
        *(
            (f"redirect {status}", "to loopback, by a host that is listed", "refused")
            for status in (301, 302, 303, 307, 308)
        ),
        ("redirect in the page", "an HTML page that sends browsers on", "not_an_image"),
        ("redirect by header", "Refresh beside a page", "not_an_image"),
        ("slow header", "a byte now and then, for ever", "unavailable"),
        ("slow body", "the same behind a header in good order", "unavailable"),
        ("silent", "a connection and nothing more", "unavailable"),
        ("gzip bomb", "10 MiB of zeros in 10 KB, though identity was asked for", "bad_answer"),
        ("unknown coding", "a coding that was not asked for", "bad_answer"),
        ("length too large", "a length beyond the limit, told from the header", "too_large"),
        ("length lies short", "more bytes than were announced are not read", "fetched"),
        ("length lies long", "the connection ends before the length", "unavailable"),
        ("length twice", "two lengths that differ", "bad_answer"),
        ("length negative", "a length below none", "bad_answer"),
        ("length and chunks", "two ways to tell the end", "bad_answer"),
        ("no length", "an end that anybody on the way may make", "bad_answer"),
        ("endless chunks", "chunks without an end", "too_large"),
        ("endless chunk line", "the size of a chunk has no end", "bad_answer"),
        ("bad chunk", "a chunk whose size is no number", "unavailable"),
        ("negative chunk", "a chunk whose size is below none", "unavailable"),
        ("endless trailer", "lines behind the last chunk without an end", "too_large"),
        ("endless header", "header after header", "bad_answer"),
        ("long header line", "a header of a megabyte", "bad_answer"),
        ("endless continue", "100 Continue, again and again", "too_large"),
        ("early close", "nothing at all", "unavailable"),
        ("no HTTP", "an answer of another protocol", "bad_answer"),
        ("partial", "206, a part of something", "bad_answer"),
        ("no content", "204, and no image", "bad_answer"),
        ("HTML", "a page", "not_an_image"),
        ("HTML as image", "a page that calls itself image/png", "not_an_image"),
        ("image as HTML", "an image that calls itself a page", "not_an_image"),
        ("SVG", "a drawing that could fetch more", "not_an_image"),
        ("cookie", "set, and never sent back", "fetched"),
    )
)

TLS = tuple(
    Vector(name, "https://images.test/a.jpg", about, ends="fetch.unavailable")
    for name, about in (
        ("wrong name", "a certificate of another host"),
        ("self-signed", "a certificate of nobody"),
        ("expired", "a certificate of yesterday"),
        ("no TLS", "plain HTTP at the port of https"),
    )
)

VECTORS = (*SCHEMES, *HOSTS, *URLS, *ADDRESSES, *OBJECTS, *FILES, *ANSWERS, *TLS)


def ending(vector: Vector) -> str:
    """How the vector ends, in full."""
    code = vector.ends or "fetch.refused"
    return code if "." in code else f"fetch.{code}"


def table() -> str:
    """The rows of the page."""
    rows = ["| vector | what it is | ends as |", "|---|---|---|"]
    for vector in VECTORS:
        end = ending(vector)
        shown = "an image" if end == "fetch.fetched" else f"`{end}`"
        rows.append(f"| {vector.name} | {vector.about.replace('|', '')} | {shown} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    print(table(), end="")
