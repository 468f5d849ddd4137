"""Vouchers as a stranger reads them: Keccak-256, secp256k1 and EIP-712 from their specifications, with integers alone."""

from basics import key_of, need, which
from protocols import BODIES, camel, digest, integers, message, refusal, signed, text

PRIME = 2**256 - 2**32 - 977
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
BASE = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)

# Keccak-f[1600] (FIPS 202, with the padding of the first Keccak)


def keccak(data):
    rate = 136
    padded = data + b"\x01" + bytes(-(len(data) + 1) % rate)
    padded = padded[:-1] + bytes([padded[-1] | 0x80])
    lanes = [[0] * 5 for _ in range(5)]
    for at in range(0, len(padded), rate):
        for index in range(rate // 8):
            lanes[index % 5][index // 5] ^= int.from_bytes(padded[at + 8 * index : at + 8 * index + 8], "little")
        lanes = permute(lanes)
    return b"".join(lanes[index % 5][index // 5].to_bytes(8, "little") for index in range(4))


def turned(lane, by):
    by %= 64
    return (lane << by | lane >> (64 - by)) & (2**64 - 1)


def permute(lanes):
    constant = 1
    for _ in range(24):
        columns = [lane[0] ^ lane[1] ^ lane[2] ^ lane[3] ^ lane[4] for lane in lanes]
        mixed = [columns[(x + 4) % 5] ^ turned(columns[(x + 1) % 5], 1) for x in range(5)]
        lanes = [[lanes[x][y] ^ mixed[x] for y in range(5)] for x in range(5)]
        x, y, current = 1, 0, lanes[1][0]
        for step in range(24):
            x, y = y, (2 * x + 3 * y) % 5
            current, lanes[x][y] = lanes[x][y], turned(current, (step + 1) * (step + 2) // 2)
        for y in range(5):
            row = [lanes[x][y] for x in range(5)]
            for x in range(5):
                lanes[x][y] = row[x] ^ (~row[(x + 1) % 5] & row[(x + 2) % 5] & (2**64 - 1))
        for bit in range(7):
            constant = (constant << 1 ^ (constant >> 7) * 0x71) % 256
            if constant & 2:
                lanes[0][0] ^= 1 << ((1 << bit) - 1)
    return lanes


# secp256k1 (SEC 2)


def added(one, other):
    if one is None or other is None:
        return one or other
    (x, y), (u, v) = one, other
    if x == u and (y + v) % PRIME == 0:
        return None
    slope = 3 * x * x * pow(2 * y, -1, PRIME) if one == other else (v - y) * pow(u - x, -1, PRIME)
    third = (slope * slope - x - u) % PRIME
    return third, (slope * (x - third) - y) % PRIME


def times(number, point):
    total = None
    while number:
        if number & 1:
            total = added(total, point)
        point, number = added(point, point), number >> 1
    return total


def signer_of(hashed, signature):
    """The address that signed, or None (SEC 1, 4.1.6); only the lower s is lawful (EIP-2)."""
    r, s, v = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big"), signature[64]
    if v not in (27, 28) or not 0 < r < ORDER or not 0 < s <= ORDER // 2:
        return None
    y = pow(r**3 + 7, (PRIME + 1) // 4, PRIME)
    if y * y % PRIME != (r**3 + 7) % PRIME:
        return None
    if y % 2 != v - 27:
        y = PRIME - y
    inverse = pow(r, -1, ORDER)
    z = int.from_bytes(hashed, "big")
    key = added(times(s * inverse % ORDER, (r, y)), times(-z * inverse % ORDER, BASE))
    return None if key is None else address(keccak(key[0].to_bytes(32, "big") + key[1].to_bytes(32, "big"))[12:])


def address(data):
    """With the checksum of EIP-55."""
    need(len(data) == 20, "no address")
    small = data.hex()
    digits = keccak(small.encode()).hex()
    return "0x" + "".join(letter.upper() if digit >= "8" else letter for letter, digit in zip(small, digits))


def word(number):
    return number.to_bytes(32, "big")


def place(data):
    return bytes(12) + data


DOMAIN = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
STRUCT = (
    b"Voucher(address payer,address payee,string network,string unit,uint256 cumulativeMicro,uint256 sequence,uint256 expiresAt,bytes32 statement)"
)


def hashed(made):
    domain = keccak(keccak(DOMAIN) + keccak(b"pleach voucher") + keccak(b"1") + word(made["chain_id"]) + place(made["contract"]))
    struct = keccak(
        keccak(STRUCT) + place(made["payer"]) + place(made["payee"]) + keccak(made["network"].encode()) + keccak(made["unit"].encode())
        + word(made["cumulative_micro"]) + word(made["sequence"]) + word(made["expires_at_s"]) + made["statement"]
    )
    return keccak(b"\x19\x01" + domain + struct)


# Messages

VOUCHER = {
    1: ("payer", "bytes"), 2: ("payee", "bytes"), 3: ("network", "string"), 4: ("unit", "string"), 5: ("cumulative_micro", "uint64"),
    6: ("sequence", "uint64"), 7: ("expires_at_s", "uint64"), 8: ("statement", "bytes"), 9: ("chain_id", "uint64"), 10: ("contract", "bytes"),
    11: ("signature", "bytes"),
}
VOUCHING = {
    1: ("ask", "bytes"), 2: ("voucher", {1: ("key", "bytes"), 2: ("voucher", VOUCHER)}),
    3: ("taken", {1: ("unit", "string"), 2: ("sequence", "uint64")}),
    4: ("refuse", {1: ("unit", "string"), 2: ("refusal", {1: ("code", "string"), 2: ("facts", ["bytes"])})}),
}


def terms_body(data):
    made = message({1: ("payer", "string"), 2: ("unit", "string"), 3: ("payee", "bytes"), 4: ("chain_id", "uint64"), 5: ("contract", "bytes"),
                    6: ("issued_ms", "uint64")}, data)
    key_of(made["payer"])
    text(made["unit"])
    integers(made, "chain_id", "issued_ms")
    return {**made, "payee": address(made["payee"]), "contract": address(made["contract"])}


def key_body(data):
    made = message({1: ("address", "bytes"), 2: ("issued_ms", "uint64")}, data)
    integers(made, "issued_ms")
    return {**made, "address": address(made["address"])}


BODIES["voucher-terms"] = terms_body
BODIES["voucher-key"] = key_body


def vouching(network, data, _context):
    say, value = which(VOUCHING, data)
    need(say is not None, "nothing said")
    if say == "ask":
        return {"say": say, "terms": signed(network, "voucher-terms", value)}
    if say == "voucher":
        return {"say": say, "key": signed(network, "voucher-key", value["key"]), "voucher": voucher(network, value)}
    text(value["unit"])
    if say == "refuse":
        return {"say": say, "unit": value["unit"], "refusal": refusal(value["refusal"])}
    integers(value, "sequence")
    need(value["sequence"] > 0, "nothing is taken")
    return {"say": say, **value}


def voucher(network, value):
    made = value["voucher"]
    need(made is not None, "no voucher")
    integers(made, "cumulative_micro", "sequence", "expires_at_s", "chain_id")
    need(made["cumulative_micro"] > 0 and made["sequence"] > 0, "for nothing")
    text(made["network"])
    text(made["unit"])
    digest(made["statement"])
    need(len(made["signature"]) == 65, "no signature of this kind")
    shown = {name: address(made[name]) for name in ("payer", "payee", "contract")}
    need(made["network"] == network, "of another network", "NETWORK_FOREIGN")
    by = signer_of(hashed(made), made["signature"])
    need(by == shown["payer"], "the signature does not fit", "SIGNATURE_INVALID")
    key = signed(network, "voucher-key", value["key"])["body"]["address"]
    need(by == key, "signed by another address", "SIGNER_UNEXPECTED")
    return camel({**made, **shown})
