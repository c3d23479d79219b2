"""Requests whose end two readers may see in different places, each with another request behind it.

ATTEMPTS maps a name to the bytes that a client sends. The request behind is for HIDDEN_PATH.
"""

HIDDEN_PATH = "/seen/hidden"
HIDDEN = f"GET {HIDDEN_PATH} HTTP/1.1\r\nHost: weft\r\n\r\n".encode()
CHUNKED = b"Transfer-Encoding: chunked\r\n"
LAST = b"0\r\n\r\n"
CHUNK = b"5\r\nhello\r\n"


def _length(body, more=0):
    return b"Content-Length: %d\r\n" % (len(body) + more)


def _framing():
    """Names, and fields with the body after them."""
    both = LAST + HIDDEN
    yield "length-then-chunked", _length(both) + CHUNKED, both
    yield "chunked-then-length", CHUNKED + _length(both), both
    yield "chunked-and-short-length", CHUNKED + b"Content-Length: 4\r\n", b"2a\r\n" + HIDDEN
    yield "length-0-and-chunked", b"Content-Length: 0\r\n" + CHUNKED, CHUNK + both
    for name, first, second in (("larger", b"0", b"%d" % len(HIDDEN)),
                                ("smaller", b"%d" % len(HIDDEN), b"0"),
                                ("same", b"5", b"5")):
        yield (f"second-length-{name}",
               b"Content-Length: " + first + b"\r\nContent-Length: " + second + b"\r\n",
               b"hello" if name == "same" else b"")
    for name, value in (("plus", b"+5"), ("minus", b"-5"), ("list", b"5, 5"), ("two", b"5, 43"),
                        ("hexadecimal", b"0x5"), ("octal", b"05"), ("space-inside", b"0 5"),
                        ("fraction", b"5.0"), ("exponent", b"5e0"), ("empty", b""),
                        ("tab", b"\t5\t"), ("overflow", b"18446744073709551621"),
                        ("vertical-tab", b"\x0b5"), ("unicode", "\u0665".encode()),
                        ("semicolon", b"5;x"), ("quoted", b'"5"')):
        yield f"length-{name}", b"Content-Length: " + value + b"\r\n", b"hello"
    for name, field in (
            ("space-before-colon", b"Transfer-Encoding : chunked\r\n"),
            ("tab-before-colon", b"Transfer-Encoding\t: chunked\r\n"),
            ("leading-space", b" Transfer-Encoding: chunked\r\n"),
            ("folded", b"Transfer-Encoding:\r\n chunked\r\n"),
            ("folded-name", b"X: x\r\n Transfer-Encoding: chunked\r\n"),
            ("capitals", b"TRANSFER-ENCODING: CHUNKED\r\n"),
            ("underscore", b"Transfer_Encoding: chunked\r\n"),
            ("quoted", b'Transfer-Encoding: "chunked"\r\n'),
            ("vertical-tab", b"Transfer-Encoding: \x0bchunked\r\n"),
            ("null", b"Transfer-Encoding: chunked\x00\r\n"),
            ("bare-cr", b"X: x\rTransfer-Encoding: chunked\r\n"),
            ("bare-lf", b"X: x\nTransfer-Encoding: chunked\r\n"),
            ("identity", b"Transfer-Encoding: identity\r\n"),
            ("identity-first", b"Transfer-Encoding: identity, chunked\r\n"),
            ("identity-last", b"Transfer-Encoding: chunked, identity\r\n"),
            ("gzip-last", b"Transfer-Encoding: chunked, gzip\r\n"),
            ("twice", CHUNKED + CHUNKED),
            ("list-twice", b"Transfer-Encoding: chunked, chunked\r\n"),
            ("other-then-chunked", b"Transfer-Encoding: x\r\n" + CHUNKED),
            ("chunked-then-other", CHUNKED + b"Transfer-Encoding: x\r\n"),
            ("empty", b"Transfer-Encoding:\r\n"),
            ("empty-element", b"Transfer-Encoding: , chunked\r\n"),
            ("parameter", b"Transfer-Encoding: chunked;x=y\r\n"),
            ("misspelt", b"Transfer-Encoding: xchunked\r\n"),
            ("hop-by-hop", b"Connection: Transfer-Encoding\r\n" + CHUNKED),
            ("length-hop-by-hop", b"Connection: Content-Length\r\n" + CHUNKED)):
        yield f"coding-{name}", field, both
        yield f"coding-{name}-and-length", field + _length(both), both
    yield "length-hop-by-hop", b"Connection: Content-Length\r\n" + _length(HIDDEN), HIDDEN
    yield "nothing-but-a-body", b"", HIDDEN


def _chunks():
    """Names and chunked bodies."""
    for name, size in (("plus", b"+5"), ("minus", b"-5"), ("prefix", b"0x5"), ("zeros", b"0005"),
                       ("space-before", b" 5"), ("space-after", b"5 "), ("tab-after", b"5\t"),
                       ("empty", b""), ("underscore", b"0_5"), ("overflow", b"10000000000000005"),
                       ("wrap-32", b"100000005"), ("extension", b"5;a=b"),
                       ("quoted-extension", b'5;a="\\"b"'), ("extension-null", b"5;\x00"),
                       ("extension-lf", b"5;a\nhello"), ("extension-cr", b"5;a\rb"),
                       ("not-hexadecimal", b"g")):
        yield f"chunk-{name}", size + b"\r\nhello\r\n" + LAST
    yield "chunk-lf-after-size", b"5\nhello\r\n" + LAST
    yield "chunk-cr-after-size", b"5\rhello\r\n" + LAST
    yield "chunk-lf-after-data", b"5\r\nhello\n" + LAST
    yield "chunk-nothing-after-data", b"5\r\nhello" + LAST
    yield "chunk-longer-than-its-size", b"5\r\nhello!\r\n" + LAST
    yield "chunk-last-of-many-zeros", CHUNK + b"0000\r\n\r\n"
    yield "chunk-last-with-lf", CHUNK + b"0\n\n"
    yield "chunk-last-without-its-line", CHUNK + b"0\r\n"
    yield "trailer-length", CHUNK + b"0\r\nContent-Length: 43\r\n\r\n"
    yield "trailer-coding", CHUNK + b"0\r\nTransfer-Encoding: chunked\r\n\r\n"
    yield "trailer-folded", CHUNK + b"0\r\nX: x\r\n y\r\n\r\n"
    yield "trailer-bare-lf", CHUNK + b"0\r\nX: x\n\n"


def _attempts():
    for name, fields, body in _framing():
        for method in ("POST", "GET"):
            line = f"{method} /seen/{name}-{method.lower()} HTTP/1.1\r\nHost: weft\r\n".encode()
            yield f"{name}-{method.lower()}", line + fields + b"\r\n" + body + HIDDEN
    for name, body in _chunks():
        line = f"POST /seen/{name} HTTP/1.1\r\nHost: weft\r\n".encode()
        yield name, line + CHUNKED + b"\r\n" + body + HIDDEN
    yield ("http-1.0-chunked", b"POST /seen/old HTTP/1.0\r\nHost: weft\r\n"
           b"Connection: keep-alive\r\n" + CHUNKED + b"\r\n" + CHUNK + LAST + HIDDEN)
    yield ("http-0.9", b"GET /seen/oldest\r\n\r\n" + HIDDEN)
    yield ("line-ends-with-lf", b"GET /seen/lf HTTP/1.1\nHost: weft\n\n" + HIDDEN)
    yield ("head-with-a-body", b"HEAD /seen/head HTTP/1.1\r\nHost: weft\r\n" +
           _length(HIDDEN) + b"\r\n" + HIDDEN + HIDDEN)
    yield ("expect", b"POST /seen/expect HTTP/1.1\r\nHost: weft\r\nExpect: 100-continue\r\n" +
           _length(HIDDEN) + b"\r\n" + HIDDEN + HIDDEN)
    yield ("two-spaces", b"GET  /seen/spaces HTTP/1.1\r\nHost: weft\r\n\r\n" + HIDDEN)
    yield ("line-inside-the-target", b"GET /seen/a%0d%0aGET%20/seen/hidden HTTP/1.1\r\n"
           b"Host: weft\r\n\r\n" + HIDDEN)
    yield ("two-hosts", b"GET /seen/hosts HTTP/1.1\r\nHost: weft\r\nHost: other\r\n\r\n" + HIDDEN)
    yield ("upgrade", b"GET /seen/upgrade HTTP/1.1\r\nHost: weft\r\nConnection: Upgrade\r\n"
           b"Upgrade: h2c\r\n\r\n" + HIDDEN)


ATTEMPTS = dict(_attempts())
