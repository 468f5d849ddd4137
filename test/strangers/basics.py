"""What a stranger's program needs before it can read anything of pleach: varints, protobuf, base58, CIDs, CBOR, Ed25519.

Written from the READMEs, the proto files and the RFCs; nothing of it is derived from the TypeScript.
"""

import base64
import hashlib


class Fault(Exception):
    """What the other peer did wrong; `code` is one of the table in protocols/wire/README.md."""

    def __init__(self, code, why=""):
        super().__init__(code, why)
        self.code = code


def need(condition, why, code="FIELD_INVALID"):
    if not condition:
        raise Fault(code, why)


def sha256(data):
    return hashlib.sha256(data).digest()


# Varints and protobuf


def varint(number):
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def read_varint(data, at):
    value = shift = 0
    while True:
        need(at < len(data) and shift < 70, "a varint is cut off", "FRAME_MALFORMED")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value & (2**64 - 1), at


def fields(data):
    """(number, wire type, value) of each field, in order."""
    at = 0
    while at < len(data):
        tag, at = read_varint(data, at)
        number, wire = tag >> 3, tag & 7
        need(number > 0, "field 0", "FRAME_MALFORMED")
        if wire == 0:
            value, at = read_varint(data, at)
        elif wire == 2:
            length, at = read_varint(data, at)
            value, at = data[at : at + length], at + length
        elif wire in (1, 5):
            length = 8 if wire == 1 else 4
            value, at = data[at : at + length], at + length
        else:
            raise Fault("FRAME_MALFORMED", "no such wire type")
        need(at <= len(data), "a field is cut off", "FRAME_MALFORMED")
        yield number, wire, value


def message(schema, data):
    """`schema`: number -> (name, type), type one of the words below, a schema, or [type] when repeated. Unknown fields are left out."""
    made = {}
    for name, kind in schema.values():
        empty = {"bytes": b"", "string": "", "bool": False}.get(kind, 0) if isinstance(kind, str) else None
        made[name] = [] if isinstance(kind, list) else empty
    for number, wire, value in fields(data):
        if number not in schema:
            continue
        name, kind = schema[number]
        one = kind[0] if isinstance(kind, list) else kind
        if isinstance(kind, list) and one == "uint32" and wire == 2:
            # Packed: one after the other.
            at = 0
            while at < len(value):
                number, at = read_varint(value, at)
                made[name].append(number & (2**32 - 1))
            continue
        lawful = 0 if one in ("uint64", "uint32", "sint64", "bool", "enum") else 2
        need(wire == lawful, f"{name} is not of its wire type", "FRAME_MALFORMED")
        if one == "string":
            try:
                value = value.decode("utf-8")
            except UnicodeDecodeError:
                raise Fault("FRAME_MALFORMED", "text that is not UTF-8") from None
        elif one in ("uint32", "enum"):
            value &= 2**32 - 1
        elif one == "sint64":
            value = (value >> 1) ^ -(value & 1)
        elif one == "bool":
            value = value != 0
        elif isinstance(one, dict):
            value = message(one, value)
        if isinstance(kind, list):
            made[name].append(value)
        else:
            made[name] = value
    return made


def which(schema, data):
    """The last field of a oneof that was said: (name, value), or (None, None)."""
    said = (None, None)
    for number, wire, value in fields(data):
        if number in schema and wire == 2:
            name, inner = schema[number]
            said = (name, value if inner == "bytes" else message(inner, value))
    return said


# Names

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def base58_decode(text):
    number = 0
    for letter in text:
        need(letter in ALPHABET, "not base58")
        number = number * 58 + ALPHABET.index(letter)
    zeros = len(text) - len(text.lstrip("1"))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")


def base58_encode(data):
    number = int.from_bytes(data, "big")
    out = ""
    while number:
        number, digit = divmod(number, 58)
        out = ALPHABET[digit] + out
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + out


KEY_PREFIX = bytes([8, 1, 18, 32])


def peer_of(key):
    return base58_encode(bytes([0, 36]) + KEY_PREFIX + key)


def key_of(peer):
    need(len(peer) <= 64, "a name too long")
    data = base58_decode(peer)
    need(data[:6] == bytes([0, 36]) + KEY_PREFIX and len(data) == 38, "not the name of an Ed25519 key")
    return data[6:]


def cid_of(document):
    return cid_of_hash(sha256(document))


def cid_of_hash(digest):
    raw = bytes([1, 0x71, 0x12, 32]) + digest
    return "b" + base64.b32encode(raw).decode().lower().rstrip("=")


def is_cid(text):
    if not text.startswith("b") or len(text) != 59 or text != text.lower():
        return False
    try:
        raw = base64.b32decode(text[1:].upper() + "=" * (-len(text[1:]) % 8))
    except ValueError:
        return False
    return raw[:4] == bytes([1, 0x71, 0x12, 32]) and len(raw) == 36


# DAG-CBOR: definite lengths, shortest heads, text keys; keys by length, then by bytes


def cbor_decode(data):
    try:
        value, at = _cbor(data, 0)
    except (IndexError, UnicodeDecodeError):
        raise Fault("FRAME_MALFORMED", "CBOR that is cut off") from None
    need(at == len(data), "bytes after the document", "FRAME_MALFORMED")
    return value


def _cbor(data, at):
    major, low = data[at] >> 5, data[at] & 31
    at += 1
    if major == 7:
        need(low in (20, 21, 22), "not a value of these documents", "FRAME_MALFORMED")
        return {20: False, 21: True, 22: None}[low], at
    if low < 24:
        number = low
    else:
        need(low < 28, "an indefinite length", "FRAME_MALFORMED")
        width = 1 << (low - 24)
        number = int.from_bytes(data[at : at + width], "big")
        at += width
        need(number >= (24 if width == 1 else 1 << (4 * width)), "a longer head than need be", "FRAME_MALFORMED")
    if major == 0:
        return number, at
    if major == 1:
        return -1 - number, at
    if major in (2, 3):
        need(at + number <= len(data), "cut off", "FRAME_MALFORMED")
        chunk = data[at : at + number]
        return (chunk if major == 2 else chunk.decode("utf-8")), at + number
    if major == 4:
        items = []
        for _ in range(number):
            item, at = _cbor(data, at)
            items.append(item)
        return items, at
    need(major == 5, "a tag", "FRAME_MALFORMED")
    made, before = {}, (0, b"")
    for _ in range(number):
        key, at = _cbor(data, at)
        need(isinstance(key, str), "a key that is no text", "FRAME_MALFORMED")
        order = (len(key.encode()), key.encode())
        need(not made or before < order, "a key out of its order, or twice", "FRAME_MALFORMED")
        made[key], at = _cbor(data, at)
        before = order
    return made, at


def cbor_encode(value):
    def head(major, number):
        if number < 24:
            return bytes([major << 5 | number])
        width = next(width for width in (1, 2, 4, 8) if number < 1 << (8 * width))
        return bytes([major << 5 | 24 + (1, 2, 4, 8).index(width)]) + number.to_bytes(width, "big")

    if value is None or isinstance(value, bool):
        return bytes([{None: 0xF6, False: 0xF4, True: 0xF5}[value]])
    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        data = value.encode("utf-8")
        return head(3, len(data)) + data
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(map(cbor_encode, value))
    keys = sorted(value, key=lambda key: (len(key.encode()), key.encode()))
    return head(5, len(value)) + b"".join(cbor_encode(key) + cbor_encode(value[key]) for key in keys)


# Ed25519 (RFC 8032), verification only

P = 2**255 - 19
Q = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def _add(a, b):
    x1, y1, z1, t1 = a
    x2, y2, z2, t2 = b
    e = (y1 - x1) * (y2 - x2) % P
    f = (y1 + x1) * (y2 + x2) % P
    g = 2 * t1 * t2 * D % P
    h = 2 * z1 * z2 % P
    w, x, y, z = f - e, h - g, h + g, f + e
    return w * x % P, y * z % P, x * y % P, w * z % P


def _times(scalar, point):
    out = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            out = _add(out, point)
        point = _add(point, point)
        scalar >>= 1
    return out


def _point(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


BASE = _point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def verifies(key, text, signature):
    if len(signature) != 64:
        return False
    point, commitment = _point(key), _point(signature[:32])
    scalar = int.from_bytes(signature[32:], "little")
    if point is None or commitment is None or scalar >= Q:
        return False
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + key + text).digest(), "little") % Q
    left, right = _times(scalar, BASE), _add(commitment, _times(challenge, point))
    return (left[0] * right[2] - right[0] * left[2]) % P == 0 and (left[1] * right[2] - right[1] * left[2]) % P == 0
